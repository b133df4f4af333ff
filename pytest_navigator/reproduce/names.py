"""Where the script of a step is, and the command that runs it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_navigator.core.facts import ProfileFacts, facts_of
from pytest_navigator.core.steps import BEST, KINDS, KNEE, Per

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_navigator.core.records import Outcome


def script_name(step: str, key: str, runner: str = "") -> str:
    """Return the path of a step's script below the package's root, without suffix; "" for a step without one."""
    if step not in KINDS or not (word := KINDS[step].script):
        return ""
    slug = re.sub(r"[^a-z0-9]+", "-", runner.lower()).strip("-")
    return f"{key}/reproduce_{word}{f'-{slug}' if slug else ''}"


def _batch(outcome: Outcome) -> str:
    """Return the batch size of a measurement as text; "" for the sample as it is."""
    if outcome.batch not in (KNEE, BEST):
        return outcome.batch.removeprefix("batch")
    result = facts_of(outcome, ProfileFacts).result
    return str(result.batch_size or "") if result else ""


def with_script(outcome: Outcome, folder: Path, *, live: bool = False) -> Outcome:
    """Return an outcome with the command that reproduces it under `script` in its data, if its script exists.

    Args:
        folder: of the suite: the package's root.
        live: whether its runner runs the live model, as an export does: the script is told where that is.
    """
    name = script_name(outcome.step, outcome.key, outcome.runner)
    if not name or not (folder / f"{name}.sh").is_file():
        return outcome
    batch, live = _batch(outcome), live or KINDS[outcome.step].per is Per.EXPORTED
    options = [*(["--model MODULE:FUNCTION"] if live else []), *([f"--batch-size {batch}"] if batch.isdigit() else [])]
    return outcome.noted(script=" ".join([f"{name}.sh", *options]))
