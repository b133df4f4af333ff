"""What is written of a model: names below its folder, and where their content comes from."""

from __future__ import annotations

import hashlib
import mmap
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_navigator.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import TypeAlias

    File: TypeAlias = Callable[[], Iterable[bytes]]
    """Gives the content in pieces, once a call."""
    Files: TypeAlias = Mapping[str, File]

CHUNK = 2**20

# Part of every ONNX file whose weights are beside it: the name of an entry that says where.
EXTERNAL = b"location"


def of_bytes(content: bytes) -> File:
    """Return what is at hand as a file."""
    return lambda: [content]


def of_path(path: Path) -> File:
    """Return a file of the file system."""
    return partial(_read, path)


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


def of_folder(folder: Path, name: str) -> dict[str, File]:
    """Return every file of a folder, under another name.

    Raises:
        ConfigError: a link in it leads out of it.
    """
    found = {}
    for place, folders, names in os.walk(folder):
        folders.sort()
        for path in (Path(place, each) for each in sorted(names)):
            if not path.resolve().is_relative_to(folder.resolve()):
                raise ConfigError(f"{path} is a link out of {folder}: copy what it leads to into the folder")
            found[f"{name}/{path.relative_to(folder).as_posix()}"] = of_path(path)
    return found


def model_files(path: Path, name: str) -> dict[str, File]:
    """Return a model's file, or the files of its folder, as what a version's folder has.

    An ONNX file whose weights are beside it becomes a folder of its name, with both.

    Raises:
        ConfigError: there is none, or its weights cannot be found.
    """
    if path.is_dir():
        return _checked_folder(path, name)
    if not path.is_file():
        raise ConfigError(f"model_path={os.fspath(path)!r}: no such file or folder")
    if not name.endswith(".onnx"):
        return {name: of_path(path)}
    parts = external_data(path)
    if not parts:
        return {name: of_path(path)}
    return {f"{name}/model.onnx": of_path(path), **{f"{name}/{part}": of_path(path.parent / part) for part in parts}}


def _checked_folder(path: Path, name: str) -> dict[str, File]:
    files = of_folder(path, name)
    if not files:
        raise ConfigError(f"model_path={os.fspath(path)!r}: the folder is empty")
    if name.endswith(".onnx") and f"{name}/model.onnx" not in files:
        raise ConfigError(f"model_path={os.fspath(path)!r}: there is no model.onnx in this folder")
    return files


def external_data(path: Path) -> list[str]:
    """Return the names of the files with an ONNX file's weights, relative to its folder.

    Raises:
        ConfigError: one is missing, or outside of the folder; or it may have some, and onnx is not installed.
    """
    if not _mentions(path, EXTERNAL):
        return []
    from pytest_navigator.backends.onnx.description import describe
    from pytest_navigator.errors import SourceError

    try:
        return list(describe(path, {}).parts)
    except ModuleNotFoundError as error:
        why = "its weights may be in files beside it, which onnx alone can tell: pip install onnx"
        raise ConfigError(f"{path}: {why}") from error
    except SourceError as error:
        raise ConfigError(f"{path}: {error}") from error


def _mentions(path: Path, text: bytes) -> bool:
    if not path.stat().st_size:
        return False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content.find(text) >= 0


def write(folder: Path, name: str, file: File) -> str:
    """Write a file below a folder; returns the SHA-256 of what was written."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    total = hashlib.sha256()
    with path.open("xb") as target:
        for chunk in file():
            total.update(chunk)
            target.write(chunk)
    return total.hexdigest()


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def beside(folder: str, paths: Iterable[Path]) -> dict[str, File]:
    """Return files of the user's that a configuration names by their last names alone.

    Raises:
        ConfigError: one is missing, or two have one name.
    """
    found: dict[str, tuple[Path, File]] = {}
    for path in dict.fromkeys(paths):
        if not path.is_file():
            raise ConfigError(f"{path}: no such file")
        name = f"{folder}/{path.name}"
        if name in found:
            raise ConfigError(f"{path} and {found[name][0]} would both be {name}: give them two names")
        found[name] = (path, of_path(path))
    return {name: file for name, (_, file) in found.items()}
