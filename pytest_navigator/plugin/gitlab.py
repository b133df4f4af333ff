"""GitLab CI, where a run is a job: what `--nav-gitlab` writes there, and what it says elsewhere."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_navigator.errors import ConfigError
from pytest_navigator.reporting.gitlab import links, render

if TYPE_CHECKING:
    from pytest_navigator.configuration.run_options import RunOptions
    from pytest_navigator.reporting.run_report import RunReport

FLAG = "--nav-gitlab"
JOB, PROJECT = "CI_JOB_URL", "CI_PROJECT_DIR"
LABELS = {"--nav-report": "Model checks", "--nav-json": "Model checks as JSON"}


def check(options: RunOptions) -> None:
    """Refuse links to nothing.

    Raises:
        ConfigError: this run writes no file that could be linked to.
    """
    if FLAG in options.reports and len(options.reports) == 1 and options.package is None:
        raise ConfigError(f"{FLAG} links to reports and packages, and this run writes none; add --nav-report=out.html")


def text(run: RunReport, options: RunOptions) -> str:
    """Return the file; "" where this is no job of GitLab, whose address nobody knows."""
    job, project = os.environ.get(JOB, ""), os.environ.get(PROJECT, "")
    if not job or not project:
        return ""
    files = {LABELS[flag]: path for flag, path in options.reports.items() if flag in LABELS}
    return render(links(run, files, job, Path(project)))
