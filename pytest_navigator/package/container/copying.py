"""An open package, with what was noted since, as a new file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_navigator.errors import PackageError
from pytest_navigator.package.container.writer import CONFIG, dump
from pytest_navigator.package.layout import config_yaml, status
from pytest_navigator.package.query.selection import KEEP, artifact_names, sample
from pytest_navigator.package.zip.archive import STATUS, Member, write_archive

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

    from pytest_navigator.core.plain import JSON
    from pytest_navigator.package.container.reader import PackageFile
    from pytest_navigator.package.query.results import Results

LEFT_OUT = "save_data=none"


@dataclass(frozen=True)
class Stored(Member):
    """A file of an open package, which is checked while it is read; in the new one it may have another name."""

    package: PackageFile
    origin: str

    def chunks(self) -> Iterator[bytes]:
        """Yield the content in pieces."""
        return self.package.chunks(self.origin)

    @property
    def size(self) -> int:
        """Size in bytes."""
        return self.package.size(self.origin)

    def digest(self) -> str:
        """Return the SHA-256 that it has to have: reading compares it; a package of others has recorded none."""
        return self.package.files()[self.origin] or super().digest()


def write_copy(
    package: PackageFile,
    results: Results,
    target: Path,
    *,
    override: bool,
    save_data: bool,
    keep: Collection[str] | None = None,
) -> None:
    """Write a package with the files of another one, and a status.yaml of these results.

    Args:
        keep: keys of the formats whose models go into it; None: those of all.

    Raises:
        PackageError: something is at `target`, a file is damaged, or the new one cannot be written.
    """
    if target.is_dir():
        raise PackageError(f"{target} is a folder; name a file in it, like {target / 'out.nav'}")
    if target.exists() and not override:
        raise PackageError(f"{target} exists; override=True replaces it")
    left_out = _left_out(package, results, save_data, keep)
    members = {name: Stored(name, b"", package, name) for name in package.files() if name not in left_out}
    written: dict[str, Member] = {**members, **({} if save_data else _configs(results, members))}
    digests = {name: each.digest() for name, each in written.items()}
    write_members(target, _status(package, results, digests, left_out), written, digests, override=override)


def write_members(
    target: Path, content: JSON, members: Mapping[str, Member], digests: dict[str, str], *, override: bool
) -> None:
    """Write a package of this status.yaml and these files.

    Raises:
        PackageError: as `write_archive`; or the file system refuses it.
    """
    try:
        write_archive(target, [Member(STATUS, dump(content)), *members.values()], digests, override=override)
    except OSError as error:
        raise PackageError(
            f"cannot write {target}: {error.strerror or error}; what was there before is untouched"
        ) from error


def _left_out(package: PackageFile, results: Results, save_data: bool, keep: Collection[str] | None) -> dict[str, str]:
    """Return the files that do not go into a copy, with why."""
    files = package.files()
    dropped = [] if keep is None else [v.key for v in results.suite.variants if v.key not in keep]
    models = {name: f"{KEEP}best" for key in dropped for name in artifact_names(files, key)}
    return models | ({} if save_data else {name: LEFT_OUT for name in files if sample(name)})


def _status(
    package: PackageFile, results: Results, digests: dict[str, str], left_out: Mapping[str, str]
) -> dict[str, JSON]:
    old, details = package.status, package.details
    return status.build(
        results,
        old.get("environment") or {},
        files=digests,
        left_out=dict(sorted({**(details.get("left_out") or {}), **left_out}.items())),
        git=details.get("git"),
        complete=package.complete,
        uuid=old.get("uuid") or "",
        timestamp=str(old.get("timestamp") or ""),
    )


def _configs(results: Results, members: dict[str, Stored]) -> dict[str, Member]:
    # They have the ranges of the samples, which tell something of them.
    names = {f"{variant.key}/{CONFIG}": variant for variant in results.suite.variants}
    return {
        name: Member(name, dump(config_yaml.config(results, variant, {})))
        for name, variant in names.items()
        if name in members
    }
