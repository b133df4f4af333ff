"""`--nav-resume`: what an earlier run recorded, and this run would record again, becomes this run's.

Everything of the earlier run was set aside when this one began, so that nothing of it is there by itself: whatever
reads the workspace, also after this run was killed, finds what this run has made or taken over, and nothing else.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_navigator.core.digests import digest_of
from pytest_navigator.core.ours import remove, replace_with
from pytest_navigator.core.records import REUSED
from pytest_navigator.core.steps import KINDS
from pytest_navigator.engine.evidence import evidence_files
from pytest_navigator.engine.identity import identity_of
from pytest_navigator.errors import PackageError
from pytest_navigator.reproduce.names import script_name

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_navigator.core.records import Outcome
    from pytest_navigator.engine.context import Context

SCRIPTS = "reproduce_"


def take_over(context: Context) -> None:
    """Take over what is still true of the suite's steps, selected or not; drop what is not.

    The source step has just run, and runs in every process first: only the live model tells whether it is the same.
    What an earlier run recorded of steps that this one does not have (another format, another batch size) stays aside.
    """
    suite = context.suite
    for step in suite.matrix.steps():
        of = replace(context, step=step)
        recorded = _earlier_record(of)
        if recorded is not None and _still_true(of, recorded):
            _take(of, recorded)
        suite.folder.earlier.forget(step.id)
    for key in suite.matrix.variants:
        remove(suite.folder.earlier.path / key)


def _earlier_record(context: Context) -> Outcome | None:
    try:
        return context.folder.earlier.record(context.step.id)
    except PackageError:
        return None  # somebody has damaged it: the step runs


def _still_true(context: Context, recorded: Outcome) -> bool:
    """Whether the step would come out the same now: nothing that it depends on has changed."""
    if not recorded.passed or context.step.step == "source" or KINDS[context.step.step].gate:
        return False
    needed = [context.folder.record(step.id) for step in context.suite.matrix.needs(context.step)]
    if not all(record and record.passed for record in needed) or recorded.identity != identity_of(context):
        return False
    artifact = context.folder.earlier.path / context.variant.key / context.variant.file
    return bool(context.step.runner) or (artifact.exists() and digest_of(artifact) == recorded.digest)


def _take(context: Context, recorded: Outcome) -> None:
    """Move the files of a step back, and make its record this run's."""
    folder = context.folder
    for path in _files(context):
        replace_with(folder.path / path.relative_to(folder.earlier.path), path)
    way, ran = recorded.earlier
    own = {"run": context.host.id} | ({} if way else {REUSED: ran or recorded.started})
    folder.write(recorded.noted(**own))


def _files(context: Context) -> list[Path]:
    """Return what a step left: its scripts, and the artifact with its log or what a comparison has kept."""
    step, root = context.step, context.folder.earlier.path
    script = script_name(step.step, step.key, step.runner)
    scripts = sorted(root.glob(f"{script}.*")) if script else []
    if step.runner:
        return [*scripts, *(evidence_files(context, root) if step.step == "correctness" else ())]
    others = [path for path in (root / step.key).iterdir() if not path.name.startswith(SCRIPTS)]
    return [*scripts, *others]
