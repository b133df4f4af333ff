"""Where the script of a step is, and the command that runs it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_navigator.core.steps import KINDS, Per

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_navigator.core.records import Outcome


def script_name(step: str, key: str, runner: str = "") -> str:
    """Return the path of a step's script below the package's root, without suffix; "" for a step without one."""
    if step not in KINDS or not (word := KINDS[step].script):
        return ""
    slug = re.sub(r"[^a-z0-9]+", "-", runner.lower()).strip("-")
    return f"{key}/reproduce_{word}{f'-{slug}' if slug else ''}"


def with_script(outcome: Outcome, folder: Path, *, live: bool = False) -> Outcome:
    """Return an outcome with the command that reproduces it under `script` in its data, if its script exists.

    Args:
        folder: of the suite: the package's root.
        live: whether its runner runs the live model, as an export does: the script is told where that is.
    """
    name = script_name(outcome.step, outcome.key, outcome.runner)
    if not name or not (folder / f"{name}.sh").is_file():
        return outcome
    batch, live = outcome.batch.removeprefix("batch"), live or KINDS[outcome.step].per is Per.EXPORTED
    options = [*(["--model MODULE:FUNCTION"] if live else []), *([f"--batch-size {batch}"] if batch.isdigit() else [])]
    return outcome.noted(script=" ".join([f"{name}.sh", *options]))
