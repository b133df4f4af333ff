"""Entries at a URL, which any number of machines share: each is one object, a ZIP of its files and its description.

Nothing is locked: an object is seen when all of it is there, and of two writers both have the same.
"""

from __future__ import annotations

import shutil
import uuid
import zipfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_navigator.core import remote
from pytest_navigator.engine.cache.store import DAMAGED, ENTRY, Entry, described, parsed, streamed
from pytest_navigator.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from pytest_navigator.core.plain import JSON
    from pytest_navigator.core.remote import Url

SUFFIX = ".zip"
# What a ZIP raises that is none, or that was changed.
BROKEN = (*DAMAGED, zipfile.BadZipFile, NotImplementedError, EOFError, RuntimeError)


@dataclass
class UrlStore:
    """What is below a URL. Who gets no answer, or whose credentials are wrong, does not ask again in this run.

    Attributes:
        scratch: the folder of what is on its way.
        warn: is told once what is wrong, for people.
        reads, writes: whether that is still tried.
    """

    root: Url
    scratch: Path
    warn: Callable[[str], None]
    reads: bool = True
    writes: bool = True

    def prepare(self, workspace: Path) -> None:
        """Find a bucket that is not there before the run; what cannot be read for other reasons is not used.

        Raises:
            ConfigError: with the reason.
        """
        try:
            remote.check(self.root)
        except remote.NoBucket as error:
            raise ConfigError(f"--nav-cache={self.root}: {error}; make it, or name another one") from None
        except remote.RemoteError as error:
            self._unread(error)

    def read(self, name: str) -> Entry | None:
        """Fetch an entry, None if there is none; a damaged one is taken away."""
        fetched = self._fetched(name) if self.reads else None
        if fetched is None:
            return None
        try:
            with zipfile.ZipFile(fetched) as archive, archive.open(ENTRY) as file:
                return parsed(file, name, fetched)
        except OSError:  # of this machine's disk: the entry may be as good as it was
            fetched.unlink(missing_ok=True)
            return None
        except BROKEN:
            self._discard(name)
            fetched.unlink(missing_ok=True)
            return None

    def take(self, entry: Entry, target: Path) -> bool:
        """Write the files of an entry into an empty folder; False if one is damaged, and then nothing must be used."""
        try:
            with zipfile.ZipFile(entry.path) as archive:
                written = {name: _extracted(archive, name, target / name) for name in entry.files}
        except OSError:
            raise  # of this machine's disk
        except BROKEN:
            written = {}
        finally:
            entry.path.unlink(missing_ok=True)
        if written != entry.files:
            self._discard(entry.name)
        return written == entry.files

    def add(self, name: str, record: dict[str, JSON], files: Mapping[str, Path]) -> None:
        """Write an entry, unless the server refuses; what another run has written is the same."""
        if not self.writes:
            return
        try:
            with self._on_its_way() as made:
                _write(made, name, record, files)
                remote.send(made, self._url(name))
        except (remote.RemoteError, OSError) as error:
            self._unwritten(error)

    def shown(self, name: str) -> str:
        """Return the URL of an entry."""
        return str(self._url(name))

    def close(self) -> None:
        """Remove what was fetched and not taken."""
        shutil.rmtree(self.scratch, ignore_errors=True)
        with suppress(OSError):  # another process has files of its own there
            self.scratch.parent.rmdir()

    def _url(self, name: str) -> Url:
        return self.root / f"{name}{SUFFIX}"

    @contextmanager
    def _on_its_way(self) -> Iterator[Path]:
        """Give a path for a file that goes when the block ends."""
        self.scratch.mkdir(parents=True, exist_ok=True)
        path = self.scratch / uuid.uuid4().hex
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    def _fetched(self, name: str) -> Path | None:
        target = self.scratch / uuid.uuid4().hex
        try:
            remote.fetch(self._url(name), target)
        except remote.NotThere:
            return None
        except (remote.RemoteError, OSError) as error:
            self._unread(error)
            return None
        return target

    def _unread(self, error: Exception) -> None:
        """Say that something could not be read. Nobody is asked any more but who has refused this one object."""
        if not isinstance(error, remote.NotAllowed):
            self.reads = self.writes = False
            self.warn(f"{self.root} is not used ({_reason(error)}); the run went on without")
        else:
            self.warn(f"{self.root} cannot be read ({_reason(error)}); the run went on without")

    def _unwritten(self, error: Exception) -> None:
        """Say that nothing can be added. What is there is still used unless nobody answers."""
        self.writes = False
        if isinstance(error, remote.RemoteError) and not isinstance(error, (remote.NotAllowed, remote.NotThere)):
            self.reads = False
        self.warn(f"nothing can be added to {self.root} ({_reason(error)}); the run went on without")

    def _discard(self, name: str) -> None:
        """Take an entry away that is not what was written; in a read-only cache it stays, and is not used."""
        self.warn(f"{self.shown(name)} is damaged: it was not used")
        with suppress(remote.RemoteError):
            remote.remove(self._url(name))


def _reason(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)


def _write(target: Path, name: str, record: dict[str, JSON], files: Mapping[str, Path]) -> None:
    """Write an entry as a file. Nothing is compressed: weights are not to be, and gigabytes would take minutes."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        digests = {inner: _stored(archive, inner, path) for inner, path in files.items()}
        archive.writestr(ENTRY, described(name, record, digests))


def _stored(archive: zipfile.ZipFile, name: str, path: Path) -> str:
    with path.open("rb") as source, archive.open(zipfile.ZipInfo(name), "w", force_zip64=True) as copy:
        return streamed(source, copy)


def _extracted(archive: zipfile.ZipFile, name: str, target: Path) -> str:
    """Write a file of an entry, and return the SHA-256 of what was written.

    Raises:
        BROKEN: it is not there, or damaged, or packed so that it may fill a disk.
    """
    info = archive.getinfo(name)
    if info.compress_type != zipfile.ZIP_STORED:
        raise ValueError(name)
    target.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(info) as source, target.open("wb") as copy:
        return streamed(source, copy)
