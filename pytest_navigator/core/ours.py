"""What is ours in a folder, and so may be replaced or removed: a note there says so; all else is somebody's."""

from __future__ import annotations

import json
import shutil
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pytest_navigator.core.plain import write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_navigator.core.plain import JSON

IGNORED = ".gitignore"
# Keeps a folder of ours out of the user's repository, as pytest's own cache does.
IGNORES_ALL = b"# Written by pytest-navigator.\n*\n"

# In the folder of a suite: name -> why of the models that a package left out, and that are not there any more.
RELEASED = ".released.json"


def ignore(folder: Path) -> None:
    """Make a folder that no repository takes in."""
    write_atomically(folder / IGNORED, IGNORES_ALL)


def ignores(path: Path) -> bool:
    """Whether a file is what `ignore` wrote, not one of somebody's own."""
    return path.name == IGNORED and path.read_bytes() == IGNORES_ALL


def write_note(path: Path, **content: JSON) -> None:
    """Note what is ours."""
    write_atomically(path, json.dumps(content).encode())


def read_note(path: Path) -> dict[str, Any] | None:
    """Return what a note says, None where there is none.

    Raises:
        ValueError: it is damaged.
    """
    try:
        said = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ValueError(path) from error
    if not isinstance(said, dict):
        raise ValueError(path)
    return said


def foreign(folder: Path, owns: Callable[[Path], bool]) -> list[str]:
    """Return the names of what is in a folder and not ours."""
    return sorted(path.name for path in folder.iterdir() if not owns(path))


def sweep(folder: Path, half_written: Callable[[str], object], age: float) -> None:
    """Remove what was left half-written by processes that were killed: whoever lives writes all the time.

    Args:
        half_written: whether a name is that of something half-written.
        age: s since it was changed.
    """
    for path in folder.iterdir():
        with suppress(OSError):  # another process sweeps too
            if half_written(path.name) and time.time() - path.stat().st_mtime > age:
                remove(path)


def remove(path: Path) -> None:
    """Delete a file, or a folder with all that is in it."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def replace_with(target: Path, path: Path) -> None:
    """Move a file or a folder to where another one may be."""
    target.parent.mkdir(parents=True, exist_ok=True)
    remove(target)
    path.rename(target)
