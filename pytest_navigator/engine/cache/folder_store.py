"""A folder of entries that any number of runs share: whole ones only, and checked before they are used.

Not diskcache or another library for values: an entry is a folder of files that can have gigabytes. Nothing is locked:
an entry is written beside its place and renamed into it, the first of two writers wins, and both have the same.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_navigator.core.cloning import clone_file
from pytest_navigator.core.ours import ignore, remove, sweep
from pytest_navigator.engine.cache.store import DAMAGED, ENTRY, Entry, described, parsed, streamed
from pytest_navigator.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_navigator.core.plain import JSON

UNFINISHED = ".new-"  # How the name of a folder begins that is being written, or taken away
ABANDONED = 24 * 3600.0  # Age in s at which such a folder is nobody's any more: whoever wrote it was killed


@dataclass(frozen=True)
class FolderStore:
    """The folder of a cache.

    Attributes:
        warn: is told once what is wrong with it, for people; a cache never fails a run.
    """

    root: Path
    warn: Callable[[str], None]

    def prepare(self, workspace: Path) -> None:
        """Make the folder if it is missing; remove what killed runs have left in it.

        Raises:
            ConfigError: it cannot be a cache.
        """
        prepare(self.root, workspace)

    def read(self, name: str) -> Entry | None:
        """Return an entry, None if there is none; a damaged one is taken away."""
        folder = self.root / name
        if not os.path.lexists(folder):
            return None
        try:
            with (folder / ENTRY).open("rb") as file:
                return parsed(file, name, folder)
        # It may be whole, and others of the same cache may read it: it is left where it is.
        except PermissionError as error:
            self.warn(f"{folder} cannot be read ({error.strerror}) and is not used")
        except DAMAGED:
            self._discard(folder)
        return None

    def take(self, entry: Entry, target: Path) -> bool:
        """Copy the files of an entry into an empty folder; False if one is damaged, and then nothing must be used."""
        try:
            copied = {name: _copied(entry.path / name, target / name) for name in entry.files}
        except FileNotFoundError:
            copied = {}
        if copied != entry.files:
            self._discard(entry.path)
            return False
        with suppress(OSError):  # the cache is read-only
            os.utime(entry.path)  # its age is the time since it was last of use
        return True

    def add(self, name: str, record: dict[str, JSON], files: Mapping[str, Path]) -> None:
        """Write an entry, unless another run was faster or the folder refuses."""
        unfinished = None
        try:
            unfinished = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=self.root))
            digests = {inner: _copied(path, unfinished / inner) for inner, path in files.items()}
            (unfinished / ENTRY).write_bytes(described(name, record, digests))
            unfinished.chmod(0o777 & ~_umask(unfinished / ENTRY))
            unfinished.rename(self.root / name)
        except OSError as error:
            # Renaming fails as well where the entry is there by now: another run was faster, and nothing is lost.
            if unfinished is None or not (self.root / name).is_dir():
                self.warn(f"nothing can be added to {self.root} ({error.strerror}); the run went on without")
        finally:
            if unfinished is not None:
                shutil.rmtree(unfinished, ignore_errors=True)

    def shown(self, name: str) -> str:
        """Return where an entry is."""
        return str(self.root / name)

    def close(self) -> None:
        """Nothing has to be: files are taken from where they are."""

    def _discard(self, folder: Path) -> None:
        """Take an entry away that is not what was written; in a read-only cache it stays, and is not used."""
        self.warn(f"{folder} is damaged: it was not used")
        aside = folder.with_name(f"{UNFINISHED}{folder.name}-{os.getpid()}")
        with suppress(OSError):
            folder.rename(aside)
            remove(aside)


def prepare(root: Path, workspace: Path) -> None:
    """Make the folder if it is missing; remove what killed runs have left in it.

    Raises:
        ConfigError: it cannot be a cache.
    """
    cache, replaced = root.resolve(), workspace.resolve()
    if cache.is_relative_to(replaced) or replaced.is_relative_to(cache):
        raise ConfigError(
            f"--nav-cache={root}: cache and workspace ({workspace}) are in one another, and every run empties the "
            "workspace; choose another folder"
        )
    try:
        if not os.path.lexists(root):
            ignore(root)  # only then the folder is nobody else's
        root.mkdir(parents=True, exist_ok=True)
        sweep(root, lambda name: name.startswith(UNFINISHED), ABANDONED)
    except OSError as error:
        raise ConfigError(f"--nav-cache={root}: this is no folder that can be used ({error.strerror})") from None


def _copied(origin: Path, target: Path) -> str:
    """Copy a file, and return the SHA-256 of what was copied."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if clone_file(origin, target):
        with target.open("rb") as copy:
            return hashlib.file_digest(copy, "sha256").hexdigest()
    with origin.open("rb") as source, target.open("wb") as copy:
        return streamed(source, copy)


def _umask(made: Path) -> int:
    """Return the mode mask, as a file that was just made shows it; others share the cache, mkdtemp shuts them out."""
    return ~made.stat().st_mode & 0o022
