"""What several machines found of one suite in a run, each in a folder of its own -> one suite's folder."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from pytest_navigator.core.cloning import copy_file
from pytest_navigator.core.digests import digest_of
from pytest_navigator.core.plain import save
from pytest_navigator.engine.workspace import BASELINE, SuiteFolder
from pytest_navigator.package.merge import same_model as sameness
from pytest_navigator.package.merge.joined_files import placed
from pytest_navigator.package.merge.merging import merge, told_apart
from pytest_navigator.package.query.results import MACHINES_FILE, MachinesRecord, read_results
from pytest_navigator.package.query.selection import RECORDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pytest_navigator.package.merge.merging import Merged
    from pytest_navigator.package.query.results import Machine, Results


@dataclass(frozen=True)
class Share:
    """What one machine found of a suite.

    Attributes:
        name: of the machine, unique among the shares.
        path: the folder; steps that never ended in it have been recorded.
        machine: what is recorded of it, as in `Results.machines`.
    """

    name: str
    path: Path
    machine: Machine

    @cached_property
    def results(self) -> Results:
        """What is recorded there."""
        return read_results(self.path)

    @cached_property
    def _digests(self) -> dict[str, str]:
        return {name: digest_of(path) for name, path in _files(self.path, self.path) if name not in RECORDS}

    def files(self) -> dict[str, str]:
        """Return name -> SHA-256 of what a package could hold."""
        return self._digests

    def read(self, name: str) -> bytes:
        """Return the content of a file."""
        return (self.path / name).read_bytes()

    def size(self, name: str) -> int:
        """Return the size of a file in B."""
        return (self.path / name).stat().st_size

    stored_size = size


def join_folders(shares: Sequence[Share], target: Path) -> None:
    """Make one suite's folder, which must not be there yet; the shares stay as they are, whatever happens.

    A machine whose model is another one, or that was not right with it, is left out: that is a conflict.

    Raises:
        PackageError: a record cannot be read.
        OSError: the file system refuses it.
    """
    taken, refused = _of_one_model(shares)
    merged = merge(told_apart((share.name, share.results, share.machine) for share in taken))
    for place, (name, origin) in placed({share.name: share.files() for share in taken}, merged).items():
        _put(next(share.path for share in taken if share.name == name) / origin, target / place)
    _write_records(taken, merged, target, refused)


def _of_one_model(shares: Sequence[Share]) -> tuple[list[Share], list[str]]:
    """Return the shares that are of the model of the first one that has one, and why the others are left out."""
    first = next((share for share in shares if share.results.source and share.results.source.passed), None)
    if first is None:
        first, *others = shares
        return [first], [f"the source passed on no machine: what {s.name} found of it is left out" for s in others]
    others = [share for share in shares if share is not first]
    problems = {share.name: sameness.difference((first, first.results), (share, share.results)) for share in others}
    lines = [
        f"{first.name} and {name} cannot be merged: {why}; what {name} found is left out"
        for name, why in problems.items()
        if why
    ]
    return [share for share in shares if not problems.get(share.name)], lines


def _write_records(taken: Sequence[Share], merged: Merged, target: Path, refused: Sequence[str]) -> None:
    folder, results = SuiteFolder(target, target.parent), merged.results
    save(target / "suite.json", results.suite)
    if results.signature:
        save(target / "signature.json", results.signature)
    for outcome in results.outcomes:
        (folder.write_verification if outcome.step == "verify" else folder.write)(outcome)
    compared = next((path for share in taken if (path := share.path / BASELINE).exists()), None)
    if compared:
        _put(compared, target / BASELINE)
    conflicts = (*refused, *merged.conflicts)
    record = MachinesRecord(dict(results.machines), results.others, conflicts, merged.notes)
    save(target / MACHINES_FILE, replace(record, conflicts=tuple(dict.fromkeys(conflicts))))


def _put(origin: Path, place: Path) -> None:
    """Have a file at another place too: without taking room where the file system can."""
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(origin, place)
    except OSError:  # another file system, or one without links
        copy_file(origin, place)


def _files(folder: Path, root: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir() and not path.is_symlink():
            yield from _files(path, root)
        elif path.is_file():
            yield path.relative_to(root).as_posix(), path
