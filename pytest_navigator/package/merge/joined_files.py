"""Packages of several machines -> one package."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.errors import PackageError
from pytest_navigator.package.container.copying import Stored, write_members
from pytest_navigator.package.container.writer import LOG, content_uuid
from pytest_navigator.package.layout import navigator_log as navlog
from pytest_navigator.package.layout import status
from pytest_navigator.package.merge import same_model as sameness
from pytest_navigator.package.merge.merging import merge, told_apart
from pytest_navigator.package.query.engines import MACHINES
from pytest_navigator.package.zip.archive import TEXTS, Member
from pytest_navigator.package.zip.file_names import portable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from pytest_navigator.core.plain import JSON
    from pytest_navigator.package.container.reader import PackageFile
    from pytest_navigator.package.merge.merging import Merged
    from pytest_navigator.package.query.results import Results

# What a machine keeps of status.yaml, and of our part of it.
KEPT = ("environment", "uuid", "timestamp")
OWN = ("git", "version")


def join(packages: Sequence[PackageFile], target: Path, *, override: bool, keep_conflicts: bool) -> Merged:
    """Write one package of several of the same model.

    Args:
        override: whether a package at `target` is replaced.
        keep_conflicts: write it although machines disagree: the worst outcome stands, the others are beside it. Without
            it nothing is written then.

    Raises:
        PackageError: the packages are of different models, one is damaged, or the new one cannot be written.
    """
    results = [package.results for package in packages]
    _check(packages, results)
    parts = told_apart((portable(p.path.stem), r, _machine(p)) for p, r in zip(packages, results, strict=True))
    merged = merge(parts)
    if keep_conflicts or not merged.conflicts:
        _write({part.name: p for part, p in zip(parts, packages, strict=True)}, merged, target, override=override)
    return merged


def _check(packages: Sequence[PackageFile], results: Sequence[Results]) -> None:
    for package, result in zip(packages[1:], results[1:], strict=True):
        if why := sameness.difference((packages[0], results[0]), (package, result)):
            raise PackageError(
                f"{packages[0].path} and {package.path} cannot be merged: {why}; merge packages of one model only"
            )


def _machine(package: PackageFile) -> dict[str, JSON]:
    return {name: package.status.get(name) for name in KEPT} | {name: package.details.get(name) for name in OWN}


def _write(packages: Mapping[str, PackageFile], merged: Merged, target: Path, *, override: bool) -> None:
    log = Member(LOG, navlog.render(merged.results).encode(errors="surrogateescape"))
    members = dict(sorted({LOG: log, **_files(packages, merged)}.items()))
    digests = {name: each.digest() for name, each in members.items()}
    write_members(target, _status(packages.values(), merged.results, digests), members, digests, override=override)


def _status(packages: Iterable[PackageFile], results: Results, digests: Mapping[str, str]) -> dict[str, JSON]:
    # Model Navigator's schema has a place for one environment: that is the first machine's.
    machines = list(results.machines.values())
    left_out = {name: why for package in packages for name, why in (package.details.get("left_out") or {}).items()}
    return status.build(
        results,
        machines[0].get("environment") or {},
        files=digests,
        left_out={name: why for name, why in sorted(left_out.items()) if name not in digests},
        git=machines[0].get("git"),
        uuid=content_uuid(results, digests),
        timestamp=max(str(machine.get("timestamp") or "") for machine in machines),
    )


def _files(packages: Mapping[str, PackageFile], merged: Merged) -> dict[str, Stored]:
    held = {name: package.files() for name, package in packages.items()}
    return {
        place: Stored(place, b"", packages[name], origin) for place, (name, origin) in placed(held, merged, LOG).items()
    }


def placed(held: Mapping[str, Mapping[str, str]], merged: Merged, log: str = "") -> dict[str, tuple[str, str]]:
    """Return the files by their new names: each of who has it first, a variant's of who holds its artifact first.

    Args:
        held: name of a part -> name of a file -> its digest.
        log: name of a file that is written anew: each part keeps its own.

    Returns:
        New name -> the part, and the name there.
    """
    found: dict[str, tuple[str, str]] = {}
    for name, files in held.items():
        for origin, digest in files.items():
            key = origin.partition("/")[0]
            holding, engine = merged.holders.get(key, ()), merged.apart.get((name, key))
            first = next(each for each in (*holding, *held) if origin in held[each])
            counts = not holding or name in holding or _apart(origin)
            if counts and first == name and origin != log:
                found[origin] = name, origin
            elif engine if not _apart(origin) else origin == log or held[first][origin] != digest:
                found[f"{MACHINES}/{engine or name}/{origin}"] = name, origin
    return found


def _apart(name: str) -> bool:
    # Logs, scripts and configurations tell of their machine: where these differ, each keeps its own.
    return name.endswith(TEXTS)
