"""How much a store may take: what was not used for longest goes first; no retrained module leaves its for ever."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from pytest_navigator.core.ours import remove
from pytest_navigator.errors import ConfigError
from pytest_navigator.pipelines.kept import CHOICES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

LOCK = ".lock"  # In the folder of an entry: what its writer holds

VARIABLE = "NAV_PIPELINES_MAX_GIB"
DEFAULT = 32.0


def most_bytes(environment: Mapping[str, str] | None = None) -> float:
    """Return how many B a store may take: what the environment says, or 32 GiB.

    Raises:
        ConfigError: it says no number above 0.
    """
    given = (os.environ if environment is None else environment).get(VARIABLE) or str(DEFAULT)
    try:
        found = float(given)
    except ValueError:
        found = -1.0
    if not found > 0:
        raise ConfigError(f"{VARIABLE}={given}: a number of GiB above 0 is needed (default: {DEFAULT:g})")
    return found * 2**30


def age(path: Path) -> float:
    """Return the time in s since a file was written; of one that is gone, for ever."""
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return float("inf")


def note_use(folder: Path) -> None:
    """Note that an entry is of use now; a read-only store notes nothing."""
    with suppress(OSError):
        os.utime(folder)


def make_room(root: Path, keep: Path, most: float) -> list[Path]:
    """Remove the entries that were not used for longest until a store takes no more than `most` B.

    Args:
        keep: the entry that was just written, which stays; so do those that another process is writing.

    Returns:
        The folders that are gone.
    """
    entries = sorted(_entries(root), key=lambda entry: entry[1])
    taken, gone = sum(size for _, _, size in entries), []
    for folder, _, size in entries:
        if taken > most and folder != keep and _removed(folder):
            taken -= size
            gone.append(folder)
    return gone


def _entries(root: Path) -> Iterator[tuple[Path, float, int]]:
    """Yield each entry with the time of its last use, and its size in B."""
    for folder in root.iterdir():
        with suppress(OSError):  # another process makes room too
            if folder.is_dir() and not folder.name.startswith("."):
                files = [path.stat() for path in folder.iterdir()]
                yield folder, folder.stat().st_mtime, sum(each.st_size for each in files)


def _removed(folder: Path) -> bool:
    from filelock import FileLock, Timeout

    with suppress(OSError, Timeout), FileLock(folder / LOCK, timeout=0):
        (folder / CHOICES).unlink(missing_ok=True)  # first: half an entry is none
        remove(folder)
        return True
    return False
