"""Write a version of a model into a repository: whole or not at all, the configuration after the model."""

from __future__ import annotations

import difflib
import os
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_navigator.deploy.names import check_name
from pytest_navigator.deploy.triton.files import of_bytes, write
from pytest_navigator.deploy.triton.moving import Moves
from pytest_navigator.deploy.triton.record import RECORD, ModelRecord, read_record
from pytest_navigator.errors import ConfigError, DeploymentError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_navigator.deploy.triton.files import Files
    from pytest_navigator.deploy.triton.record import Origin

CONFIG = "config.pbtxt"
LOCK = ".navigator.lock"
LONGEST_WAIT = 60
"""For another one that moves its files, in s; what takes long, writing them, is done before."""


@dataclass(frozen=True)
class Version:
    """What is written.

    Attributes:
        name: of the model; number: of the version.
        config: content of `config.pbtxt`.
        files: of the version, below its folder; shared: those beside it, below the model's folder.
        origin: what it was made from.
    """

    name: str
    number: int
    config: str
    files: Files
    shared: Files
    origin: Origin


def check_named(name: object, number: object) -> None:
    """Raise ConfigError for a name of a model, or a number of a version, that is not possible."""
    check_name(name, "model_name")
    if type(number) is not int or number < 1:
        raise ConfigError(f"model_version={number!r}: a whole number from 1 on is needed")


def add(repository: Path, version: Version, *, overwrite: bool = False) -> Path:
    """Write a version into a repository, which is made if there is none; returns the model's folder.

    A server that polls the repository finds the new model with its configuration, or nothing of it.

    Args:
        overwrite: replace this version if it is there, and the configuration of all versions if it is another.

    Raises:
        ConfigError: the name or the number is not possible.
        DeploymentError: the version is there, the other versions have another configuration, or the folder cannot be
            written. Nothing of the new version is left then.
    """
    check_named(version.name, version.number)
    target = repository / version.name
    with _explained(repository):
        repository.mkdir(parents=True, exist_ok=True)
        _check_place(target, version, overwrite=overwrite)
        with _staging(repository) as folder:
            staged = folder / version.name
            digests = {name: write(staged, name, file) for name, file in _files(version).items()}
            with _locked(repository):  # until now another one may have written the same model
                _check_place(target, version, overwrite=overwrite)
                known = _known(target, overwrite=overwrite) or ModelRecord(version.name)
                write(staged, RECORD, of_bytes(known.with_version(version.number, version.origin, digests).content()))
                _move_in(Moves(staged, target, folder / "replaced"), str(version.number))
    return target


def _files(version: Version) -> Files:
    own = {f"{version.number}/{name}": file for name, file in version.files.items()}
    return {**own, **version.shared, CONFIG: of_bytes(version.config.encode())}


def _check_place(target: Path, version: Version, *, overwrite: bool) -> None:
    if target.exists() and not target.is_dir():
        raise DeploymentError(f"{target} is a file, where the folder of the model would be; choose another name")
    if overwrite:
        return
    if (target / str(version.number)).exists():
        again = "give another model_version (--version), or replace it with overwrite=True (--force)"
        raise DeploymentError(f"{target} has a version {version.number}; nothing was written: {again}")
    if (target / CONFIG).exists() and (found := (target / CONFIG).read_text("utf-8", "replace")) != version.config:
        raise DeploymentError(
            f"{target / CONFIG} is that of the versions that are there, and the new one needs another: "
            f"{_difference(found, version.config)}. All versions of a model have one configuration: choose another "
            "name, or let the new one be that of all with overwrite=True (--force)"
        )


def _known(target: Path, *, overwrite: bool) -> ModelRecord | None:
    """Return what is known of the model; a damaged record is replaced by who overwrites."""
    try:
        return read_record(target)
    except DeploymentError:
        if not overwrite:
            raise
        return None


def _difference(before: str, after: str) -> str:
    lines = difflib.ndiff(before.splitlines(), after.splitlines())
    changed = [f"{line[0]} {line[2:].strip()}" for line in lines if line[0] in "+-"]
    return ", ".join(changed[:6]) + (", ..." if len(changed) > 6 else "")


@contextmanager
def _staging(repository: Path) -> Iterator[Path]:
    """Give a folder on the repository's file system, which is gone afterwards.

    A server takes a folder inside of the repository for a model: beside it, none does.
    """
    parent = repository.absolute().parent
    fits = os.access(parent, os.W_OK) and parent.stat().st_dev == repository.stat().st_dev
    folder = tempfile.mkdtemp(prefix=f".{repository.name}.", dir=parent if fits else repository)
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _move_in(moves: Moves, version: str) -> None:
    """Move a new model as a whole; into one that is there the version's folder first, the configuration last."""
    if not moves.target.exists():
        os.rename(moves.source, moves.target)
        return
    with moves:
        moves.folder(version)
        names = [path.relative_to(moves.source).as_posix() for path in moves.source.rglob("*") if path.is_file()]
        for name in sorted(names, key=lambda name: (name == CONFIG, name == RECORD)):
            moves.file(name)


@contextmanager
def _locked(repository: Path) -> Iterator[None]:
    """Let one at a time move what it wrote into a repository; the lock is a file there, which no server looks at."""
    from filelock import FileLock, Timeout

    try:
        with FileLock(repository / LOCK, timeout=LONGEST_WAIT):
            yield
    except Timeout:
        raise DeploymentError(
            f"another process holds {repository / LOCK} since {LONGEST_WAIT} s, and writes into the repository; "
            "nothing of the model was left there: try again once it is done"
        ) from None


@contextmanager
def _explained(repository: Path) -> Iterator[None]:
    if repository.exists() and not repository.is_dir():
        raise DeploymentError(f"{repository} is a file, no model repository; name a folder")
    try:
        yield
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        raise DeploymentError(
            f"{repository} cannot be written: {error.strerror or error}{where}; nothing of the model was left there"
        ) from error
