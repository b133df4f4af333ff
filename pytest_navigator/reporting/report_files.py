"""Where reports go: what can be wrong with a path is said before the run, and a file is whole or not there."""

from __future__ import annotations

import os
import re
import stat
import tempfile
from typing import TYPE_CHECKING

from pytest_navigator.core.plain import write_atomically
from pytest_navigator.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

# How reports of ours begin: those in JSON, that in HTML.
OURS = re.compile(rb'\{\s*"pytest[-_]navigator"|<!doctype html>\s*<!-- pytest-navigator')
HEAD = 100  # Bytes of it

LOST = "this file is no report of an earlier run and would be lost; choose another name or delete it"


def check(targets: Mapping[str, Path], workspace: Path | None = None) -> None:
    """Find a path of a report that cannot be before the run.

    Args:
        targets: flag -> path.
        workspace: of the run, if there is one.

    Raises:
        ConfigError: with the reason.
    """
    for flag, path in targets.items():
        if reason := _obstacle(path, workspace):
            raise ConfigError(f"{flag}={path}: {reason}")


def check_others(targets: Mapping[str, Path], packages: Iterable[Path]) -> None:
    """Find a path that two reports, or a report and a package, would be written to.

    Raises:
        ConfigError: with the reason.
    """
    taken = {path.resolve(): "--nav-package" for path in packages}
    for flag, path in targets.items():
        if other := taken.setdefault(path.resolve(), flag).replace(flag, ""):
            raise ConfigError(f"{flag}={path}: this is also the path of {other}; choose another name")


def write(path: Path, text: str) -> str:
    """Write a report, and the folders above it; returns why it could not be written, "" if it was."""
    try:
        write_atomically(path.resolve(), text.encode(errors="backslashreplace"))
    except OSError as error:
        return f"cannot write {path}: {error.strerror or error}"
    return ""


def _obstacle(path: Path, workspace: Path | None) -> str:
    if workspace and path.resolve().is_relative_to(workspace.resolve()):
        return f"this is inside of the workspace {workspace}, which every run empties; choose another folder"
    try:
        return _kept(path) or _unwritable(path)
    except OSError as error:
        return f"cannot be written ({error.strerror or error}); choose another folder"


def _kept(path: Path) -> str:
    """Return why what is at a path must not be replaced, "" if it may be, or nothing is there."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return ""
    if stat.S_ISDIR(mode):
        return "this is a folder; name a file in it"
    if not stat.S_ISREG(mode):
        return "this is no regular file (but a device, a FIFO or a socket); choose another name"
    with path.open("rb") as file:
        head = file.read(HEAD)
    return "" if not head or OURS.match(head) else LOST


def _unwritable(path: Path) -> str:
    folder = next(parent for parent in path.absolute().parents if os.path.lexists(parent))
    if not folder.is_dir():
        return f"{folder} is no folder, so that nothing can be written below it"
    # access() tells root, and network file systems, something else than what happens.
    tempfile.TemporaryFile(dir=folder, prefix=f".{path.name}.").close()
    return ""
