"""Where the script of a step is, and the command that runs it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_navigator.core.records import Outcome

# Step -> Model Navigator's word for it in the script's name.
WORDS = {"export": "export", "convert": "conversion", "correctness": "correctness", "profile": "profiling"}


def script_name(step: str, key: str, runner: str = "") -> str:
    """Return the path of a step's script below the package's root, without suffix; "" for a step without one."""
    if step not in WORDS:
        return ""
    slug = re.sub(r"[^a-z0-9]+", "-", runner.lower()).strip("-")
    return f"{key}/reproduce_{WORDS[step]}{f'-{slug}' if slug else ''}"


def with_script(outcome: Outcome, folder: Path, *, live: bool = False) -> Outcome:
    """Return an outcome with the command that reproduces it under `script` in its data, if its script exists.

    Args:
        folder: of the suite: the package's root.
        live: whether its runner runs the live model, as an export does: the script is told where that is.
    """
    name = script_name(outcome.step, outcome.key, outcome.runner)
    if not name or not (folder / f"{name}.sh").is_file():
        return outcome
    batch, live = outcome.batch.removeprefix("batch"), live or outcome.step == "export"
    options = [*(["--model MODULE:FUNCTION"] if live else []), *([f"--batch-size {batch}"] if batch.isdigit() else [])]
    return replace(outcome, data={**outcome.data, "script": " ".join([f"{name}.sh", *options])})
