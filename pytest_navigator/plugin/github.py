"""GitHub Actions, where a run is a step of it: its summary and its annotations, which never fail a run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_navigator.reporting.causes import causes
from pytest_navigator.reporting.github import LARGEST_SUMMARY, summary, workflow_commands

if TYPE_CHECKING:
    import pytest

    from pytest_navigator.reporting.run_report import RunReport

SUMMARY = "GITHUB_STEP_SUMMARY"
# The plugin that annotates every test that fails; GitHub would show both, and has room for ten.
OTHERS = ("pytest_github_actions_annotate_failures", "pytest_github_actions_annotate_failures.plugin")
SMALLEST = 2000  # B; less room is none


def here() -> bool:
    """Whether this process runs in GitHub Actions."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def write_summary(run: RunReport) -> list[str]:
    """Add a run to the summary of the step, beside what others have written; returns what to say if that fails."""
    path = os.environ.get(SUMMARY)
    if not path:
        return []
    try:
        room = LARGEST_SUMMARY - (os.path.getsize(path) if os.path.exists(path) else 0)
        if room < SMALLEST:
            return [f"note: no summary for GitHub: ${SUMMARY} is full ({LARGEST_SUMMARY} B, GitHub's limit is 1 MiB)"]
        with open(path, "ab") as file:
            file.write(summary(run, room).encode())
    except OSError as error:
        return [f"note: no summary for GitHub: ${SUMMARY}={path} cannot be written ({error.strerror or error})"]
    return []


def annotating(run: RunReport, config: pytest.Config) -> list[str]:
    """Return the lines that annotate the code: those of the causes that no other plugin has annotated."""
    found = causes(run)
    if any(map(config.pluginmanager.hasplugin, OTHERS)):
        found = [cause for cause in found if not cause.test]
    workspace = os.environ.get("GITHUB_WORKSPACE")
    return workflow_commands(found, config.rootpath, Path(workspace) if workspace else None)
