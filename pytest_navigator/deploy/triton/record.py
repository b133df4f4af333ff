"""`navigator.json` of a model in a repository: where each version came from, and what its files are."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pytest_navigator._version import __version__
from pytest_navigator.core.plain import load, plain
from pytest_navigator.deploy.triton.files import digest
from pytest_navigator.errors import DeploymentError, PackageError
from pytest_navigator.package.zip.file_names import name_problem

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

RECORD = "navigator.json"
UNKNOWN = "is in no record"
CACHE = "__pycache__"


@dataclass(frozen=True)
class Origin:
    """What a version was made from.

    Attributes:
        source: name of the package, or of the model's file; digest: its SHA-256, "" for the folder of a run.
        format, runner, device: what is served; "" for a file that no run has checked.
        tolerance: output -> the largest difference from the source that was measured, and what was allowed.
        latency: p50 in ms of one inference at `batch_size`, None if it was not measured.
        caveat: what a reader of the latency must know.
        verified: whether a `verify_` test or `set_verified` vouches for it.
    """

    source: str
    digest: str = ""
    format: str = ""
    runner: str = ""
    device: str = ""
    tolerance: dict[str, dict[str, Any]] = field(default_factory=dict)
    latency: float | None = None
    batch_size: int | None = None
    caveat: str = ""
    verified: bool = False


@dataclass(frozen=True)
class ModelRecord:
    """What is known of a model in a repository.

    Attributes:
        model: its name.
        made_with: who wrote it last.
        versions: number -> what it was made from.
        files: name below the model's folder -> SHA-256.
    """

    model: str
    made_with: str = ""
    versions: dict[str, Origin] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)

    def with_version(self, version: int, origin: Origin, digests: Mapping[str, str]) -> ModelRecord:
        """Return the record after a version was written in place of one of that number."""
        kept = {name: value for name, value in self.files.items() if not name.startswith(f"{version}/")}
        return replace(
            self,
            made_with=f"pytest-navigator {__version__}",
            versions={**self.versions, str(version): origin},
            files=dict(sorted({**kept, **digests}.items())),
        )

    def content(self) -> bytes:
        """Return the content of the file."""
        return f"{json.dumps(plain(self), indent=1)}\n".encode()


def read_record(folder: Path) -> ModelRecord | None:
    """Return what is known of a model, None if nothing is.

    Raises:
        DeploymentError: the file is damaged.
    """
    path = folder / RECORD
    damaged = f"{path} is damaged or cannot be read: deploy the model again, with overwrite=True (--force)"
    if not path.exists():
        return None
    if not path.is_file():  # of a pipe nothing would ever come
        raise DeploymentError(damaged)
    try:
        record = load(path, ModelRecord)
    except (PackageError, OSError) as error:
        raise DeploymentError(damaged) from error
    if not record.files or any(map(name_problem, record.files)):  # what is read is in the folder
        raise DeploymentError(damaged)
    return record


def changed_files(folder: Path, record: ModelRecord) -> list[str]:
    """Read every file of a model, and return what became of each that is not what was written."""
    problems = []
    for name, written in record.files.items():
        path = folder / name
        if not path.is_file():
            problems.append(f"{path} is missing")
        elif digest(path) != written:
            problems.append(f"{path} was changed")
    return problems


def unknown_files(folder: Path, record: ModelRecord) -> list[str]:
    """Return what a server would take for a version, or a part of one, and nobody has recorded.

    What a server itself leaves there is none.
    """
    problems = []
    for version in sorted(path for path in folder.iterdir() if path.name.isdecimal() and path.is_dir()):
        if version.name not in record.versions:
            problems.append(f"{version} {UNKNOWN}")
            continue
        names = (
            path.relative_to(folder) for path in sorted(version.rglob("*")) if path.is_symlink() or not path.is_dir()
        )
        added = (name for name in names if name.as_posix() not in record.files and CACHE not in name.parts)
        problems.extend(f"{folder / name} {UNKNOWN}" for name in added)
    return problems


def unknown_models(folder: Path, known: Collection[Path]) -> list[str]:
    """Return what a server would take for a model of a repository, and nobody has recorded.

    Args:
        known: what `models` found in the folder.
    """
    if folder in known:  # which is a model itself
        return []
    return [f"{path} {UNKNOWN}" for path in sorted(folder.iterdir()) if path.is_dir() and path not in known]


@dataclass(frozen=True)
class Found:
    """The models of a repository, or the one that a folder is itself.

    Attributes:
        records: folder of a model -> what is known of it.
        damaged: folder of a model whose record cannot be read -> why.
    """

    records: dict[Path, ModelRecord]
    damaged: dict[Path, str]


def models(folder: Path) -> Found:
    """Return the models of a repository that have a record.

    Raises:
        DeploymentError: there are none.
    """
    found = Found({}, {})
    for place in (folder, *sorted(path for path in folder.iterdir() if path.is_dir())):
        try:
            if record := read_record(place):
                found.records[place] = record
        except DeploymentError as error:
            found.damaged[place] = str(error)
    if not found.records and not found.damaged:
        why = f"no model in it has a {RECORD}, which pytest-navigator deploy triton writes"
        raise DeploymentError(f"{folder} is neither a package nor a model repository of ours: {why}")
    return found
