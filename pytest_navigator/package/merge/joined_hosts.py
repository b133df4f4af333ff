"""What the hosts of a run have found of all its suites -> the workspace of the run, as if it had been one machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_navigator.core.ours import replace_with
from pytest_navigator.engine.workspace import HOSTS, PIPELINE, STEPS, SuiteFolder
from pytest_navigator.errors import PackageError
from pytest_navigator.package.merge.joined_folders import Share, join_folders

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pytest_navigator.engine.workspace import Workspace
    from pytest_navigator.package.query.results import Machine

JOINED = "joined"  # Below the folder of the hosts: where one is made of several, which is moved when it is whole


@dataclass(frozen=True)
class Found:
    """The workspace of one machine.

    Attributes:
        name: of the machine.
        root: the workspace, or a copy of it.
        machine: what is recorded of it, as in `Results.machines`.
    """

    name: str
    root: Path
    machine: Machine


def join_hosts(workspace: Workspace, own: Found, others: Sequence[Found]) -> list[str]:
    """Put what other machines found in the run's workspace, and return what could not be joined, a line each.

    Args:
        own: what was found in the run's own workspace, where workers of its machine have run too.
    """
    problems = []
    for name in sorted({path.parent.name for found in others for path in _suites(found.root)}):
        ran = [found for found in (own, *others) if _has_run(found.root / name)]
        if ran == [own]:
            continue
        if not ran:  # the records of what was collected: something of it may have been required
            replace_with(workspace.root / name, next(f.root / name for f in others if (f.root / name).is_dir()))
            continue
        try:
            problems += _joined(workspace, name, ran)
        except (PackageError, OSError) as error:
            problems.append(f"what {', '.join(f.name for f in ran)} found of {name} could not be joined: {error}")
    return problems


def _suites(root: Path) -> Iterator[Path]:
    for kind in ("suite.json", PIPELINE):
        yield from root.glob(f"*/{kind}")


def _has_run(folder: Path) -> bool:
    return any((folder / STEPS).glob("*.json")) or any((folder / STEPS).glob("*.started"))


def _joined(workspace: Workspace, name: str, ran: Sequence[Found]) -> list[str]:
    first, *rest = ran
    if (first.root / name / PIPELINE).exists():
        if first.root != workspace.root:
            replace_with(workspace.root / name, first.root / name)
        others = ", ".join(found.name for found in rest)
        kept = "keep a pipeline on one host (--dist=loadscope)"
        return [f"{name} ran on {first.name} and on {others}: what {first.name} found stands; {kept}"] if rest else []
    for found in ran:
        folder = SuiteFolder(found.root / name, found.root)
        # A step that began and did not end is one in which a process of that machine died.
        for step in folder.unfinished():
            folder.bury(step)
    target = workspace.root / HOSTS / JOINED / name
    join_folders([Share(found.name, found.root / name, found.machine) for found in ran], target)
    replace_with(workspace.root / name, target)
    return []
