"""Where the files of a package are extracted: a temporary folder that goes with the package, or the user's own."""

from __future__ import annotations

import shutil
import tempfile
import threading
import uuid
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_navigator.core.ours import foreign, read_note, remove, write_note
from pytest_navigator.errors import PackageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pytest_navigator.package.container.reader import PackageFile

# Tells that a folder holds an extracted package, whose it is, and what of it is ours.
MARKER = ".pytest_navigator_package.json"


class Workdir:
    """A folder that is made when something is first extracted into it.

    Args:
        path: of the folder; None: a temporary one, which is removed when this object is, or when Python ends.
        override: replace what an earlier package has left in the folder.

    Raises:
        PackageError: the folder has something in it that must not be replaced. Nothing was changed then.
    """

    def __init__(self, path: Path | None = None, *, override: bool = False) -> None:
        self._path = path.absolute() if path else None
        self._made: Path | None = None
        self._remove: Callable[[], object] | None = None
        self._extracted: set[str] = set()
        self._owner = uuid.uuid4().hex
        self._lock = threading.Lock()
        if self._path and self._path.exists() and _empty(self._path, override=override):
            _note(self._path, [], self._owner)

    @property
    def path(self) -> Path | None:
        """The folder; None as long as a temporary one is not needed."""
        return self._path or self._made

    def extract(self, package: PackageFile, names: Iterable[str]) -> Path:
        """Write files of a package, each once as long as it stays there; returns the folder.

        Raises:
            PackageError: a file is damaged, the folder cannot be written, or is that of another package now.
        """
        with self._lock:
            folder = self._folder()
            self._claim(folder)
            wanted = [name for name in names if name not in self._extracted or not (folder / name).is_file()]
            _note(folder, wanted, self._owner)
            package.extract(wanted, folder)
            self._extracted.update(wanted)
            return folder

    def remove(self) -> None:
        """Remove what was extracted; the folder too, if nothing else is in it."""
        with self._lock:
            self._extracted.clear()
            if self._remove is not None:
                self._remove()
            # Another package may have taken the folder over since; its files are not ours to remove.
            elif self._path is not None and _marker(self._path).owner == self._owner:
                _clear(self._path)
                if not any(self._path.iterdir()):
                    self._path.rmdir()
            self._made = self._remove = None

    def close(self) -> None:
        """Remove a temporary folder; the user's own stays."""
        if self._path is None:
            self.remove()

    def _folder(self) -> Path:
        # Somebody may have removed it since: it is made again.
        try:
            if self._path is None and self._made is None:
                self._made = Path(tempfile.mkdtemp(prefix="pytest_navigator."))
                self._remove = weakref.finalize(self, shutil.rmtree, self._made, ignore_errors=True)
            folder = self._path or self._made
            assert folder is not None
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise PackageError(f"workdir {self._path} cannot be made ({error.strerror}); choose another one") from error
        return folder

    def _claim(self, folder: Path) -> None:
        # Another package may have been loaded with the same workdir, or somebody has emptied it.
        owner = _marker(folder).owner
        if owner not in ("", self._owner):
            raise PackageError(
                f"workdir {folder} is that of another package that was loaded with it since: load this one again, with "
                "another workdir"
            )
        if not owner:
            _empty(folder, override=False)
            self._extracted.clear()


@dataclass(frozen=True)
class Marker:
    """What the hidden file in a folder says; nothing where there is none.

    Attributes:
        owner: of the `Workdir` that wrote it.
        names: in the folder that are ours.
    """

    owner: str = ""
    names: tuple[str, ...] = ()


def _empty(folder: Path, *, override: bool) -> bool:
    """Empty a folder, and return whether something was in it."""
    if not folder.is_dir():
        raise PackageError(f"workdir {folder} is a file; name a folder")
    own = _marker(folder).names
    if others := foreign(folder, lambda path: path.name in (*own, MARKER)):
        raise PackageError(
            f"workdir {folder} holds something that was not extracted from a package ({others[0]}); nothing was "
            "deleted: choose another folder, or empty this one yourself"
        )
    held = any(folder.iterdir())
    if own and not override:
        raise PackageError(f"workdir {folder} holds an extracted package; override_workdir=True replaces it")
    _clear(folder)
    return held


def _clear(folder: Path) -> None:
    # The marker goes last: who is killed before leaves a folder that says whose it is.
    for name in _marker(folder).names:
        remove(folder / name)
    (folder / MARKER).unlink(missing_ok=True)


def _note(folder: Path, names: Iterable[str], owner: str) -> None:
    # Before anything is there: who is killed while it extracts leaves nothing that nobody owns.
    own = sorted({*_marker(folder).names, *(name.partition("/")[0] for name in names)})
    write_note(folder / MARKER, purpose="files of a package", owner=owner, names=own)


def _marker(folder: Path) -> Marker:
    # Somebody may have written into the file: its names are names alone, so that nothing outside is removed.
    try:
        if (said := read_note(folder / MARKER)) is None:
            return Marker()
        names = (name for name in said["names"] if name == Path(name).name and name not in ("", ".."))
        return Marker(str(said["owner"]), tuple(names))
    except (ValueError, TypeError, KeyError):
        raise PackageError(f"{folder / MARKER} is damaged; empty {folder} yourself, or choose another one") from None
