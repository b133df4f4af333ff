"""Open a `.nav` package: nothing is unpickled, nothing unchecked is handed out, nothing is written elsewhere."""

from __future__ import annotations

import hashlib
import os
import struct
import uuid
import zipfile
import zlib
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_navigator.errors import PackageError
from pytest_navigator.package.layout import paths
from pytest_navigator.package.layout.recorded import recorded
from pytest_navigator.package.layout.status_file import parse
from pytest_navigator.package.zip.archive import CHUNK, STATUS, partial_path
from pytest_navigator.package.zip.safety import Limits, archive_problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Self

    from pytest_navigator.core.plain import JSON
    from pytest_navigator.package.layout.content import Content
    from pytest_navigator.package.query.results import Results

# More than this is no status.yaml, B; in a package that is smaller than it, more than the second and the package.
LARGEST_STATUS = 64 * 2**20
SMALL_STATUS = 8 * 2**20

# How the last record of a ZIP starts, and its size in B without the comment.
END_RECORD = b"PK\5\6"
END = 22

TRUNCATED = "is truncated or damaged"
AGAIN = "make it again with pytest --nav-package=PATH, or get another copy"


class PackageFile:
    """An open package, as a context manager. Made by `open_package`.

    Attributes:
        path: of the package.
        status: content of status.yaml, in the current schema whatever version wrote it.
    """

    def __init__(self, path: Path, archive: zipfile.ZipFile, limits: Limits) -> None:
        self.path = path
        self._archive = archive
        self._names = _checked_names(path, archive, limits)
        self.status: Content = self._read_status()
        self._digests: dict[str, str] = self.details.get("files") or {}
        self._compare_with_list()
        if problem := paths.absent(self.status, self._names):
            raise PackageError(f"{path}: {STATUS}: {problem}")

    @cached_property
    def results(self) -> Results:
        """What the package records, see `recorded`."""
        return recorded(self)

    @property
    def details(self) -> Content:
        """What is in status.yaml under `pytest_navigator`; empty for a package of Model Navigator's own."""
        details = self.status.get("pytest_navigator")
        return details if isinstance(details, dict) else {}

    @property
    def complete(self) -> bool:
        """Whether the run that wrote the package covered the whole suite."""
        return bool(self.details.get("complete", True))

    def files(self) -> dict[str, str]:
        """Return name -> SHA-256 of every file but status.yaml; "" in a package of Model Navigator's own."""
        return {name: self._digests.get(name, "") for name in self._names if name != STATUS}

    def read(self, name: str) -> bytes:
        """Return the content of a file.

        Raises:
            PackageError: there is no such file, or it is not what was packed.
        """
        return b"".join(self.chunks(name))

    def size(self, name: str) -> int:
        """Return the size of a file in B."""
        return self._info(name).file_size

    def stored_size(self, name: str) -> int:
        """Return how many B of the package a file takes."""
        return self._info(name).compress_size

    def verify(self) -> None:
        """Read every file.

        Raises:
            PackageError: names the first one that is not what was packed.
        """
        if damaged := next(self._damaged(), None):
            raise damaged

    def damaged(self) -> list[str]:
        """Read every file, and return the problem of each that is not what was packed."""
        return [str(problem) for problem in self._damaged()]

    def extract(self, names: Iterable[str], target: Path) -> list[Path]:
        """Write files below `target`, replacing those that are there; a damaged file is not written.

        Returns:
            Their paths.

        Raises:
            PackageError: a file is damaged or cannot be written, or a link in `target` leads out of it.
        """
        try:
            return [self._extract(name, target) for name in names]
        except OSError as error:
            raise PackageError(f"cannot write below {target} ({error.strerror or error})") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; nothing can be read any more."""
        self._archive.close()

    def _damaged(self) -> Iterator[PackageError]:
        for name in self.files():
            try:
                for _ in self.chunks(name):
                    pass
            except PackageError as error:
                yield error

    def _read_status(self) -> dict[str, JSON]:
        info = self._names.get(STATUS)
        if info is None:
            raise PackageError(f"{self.path} is a ZIP, but no package: it has no {STATUS}")
        size = self.path.stat().st_size
        if info.file_size > min(LARGEST_STATUS, SMALL_STATUS + size):
            raise PackageError(f"{self.path}: its {STATUS} is too large to be one ({info.file_size} B)")
        try:
            return parse(self.read(STATUS), size)
        except ValueError as error:
            raise PackageError(f"{self.path}: {STATUS}: {error}") from error

    def _compare_with_list(self) -> None:
        if not self._digests:
            return
        if gone := sorted(self._digests.keys() - self._names.keys()):
            raise PackageError(f"{self.path}: {gone[0]} is missing; {AGAIN}")
        if added := sorted(self._names.keys() - self._digests.keys() - {STATUS}):
            raise PackageError(f"{self.path}: {added[0]} was added after the package was written; {AGAIN}")

    def chunks(self, name: str) -> Iterator[bytes]:
        """Yield the content of a file in pieces; raises PackageError at its end if it is not what was packed."""
        if self._archive.fp is None:
            raise PackageError(f"{self.path} was closed; open it again")
        total = hashlib.sha256()
        try:
            with self._archive.open(self._info(name)) as file:
                while chunk := file.read(CHUNK):
                    total.update(chunk)
                    yield chunk
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError, OSError) as error:
            raise PackageError(f"{self.path}: {name} is damaged ({error}); {AGAIN}") from error
        # status.yaml holds the digests and is asked for before they are known.
        if name != STATUS and self._digests.get(name, total.hexdigest()) != total.hexdigest():
            raise PackageError(f"{self.path}: {name} is not what was packed (SHA-256 differs); {AGAIN}")

    def _info(self, name: str) -> zipfile.ZipInfo:
        if name in self._names:
            return self._names[name]
        left_out = self.details.get("left_out") or {}
        reason = f"it was left out ({left_out[name]})" if name in left_out else "no such file"
        raise PackageError(f"{self.path}: {name}: {reason}")

    def _extract(self, name: str, target: Path) -> Path:
        chunks = self.chunks(name)
        first = next(chunks, b"")  # which refuses a name that is in no package, and a file that cannot be read at all
        path = target / name
        if not path.parent.resolve().is_relative_to(target.resolve()):
            raise PackageError(f"{path} would be written outside of {target}: a link leads there; remove it")
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}")
        try:
            # Only a whole file gets its name: who reads the folder meanwhile finds the old one.
            with temporary.open("xb") as file:
                file.write(first)
                file.writelines(chunks)
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        return path


def open_package(path: Path, limits: Limits | None = None) -> PackageFile:
    """Open a package for reading.

    Args:
        limits: how much it may hold; None: what the environment says, see `Limits`.

    Raises:
        PackageError: there is none, it is truncated, it is something else, of a newer version, or not to be trusted.
    """
    archive = _open(Path(path))
    try:
        package = PackageFile(Path(path), archive, limits or Limits.of())
        _ = package.results  # what is wrong with its records is said now, not where they are used
        return package
    except BaseException:
        archive.close()
        raise


def _open(path: Path) -> zipfile.ZipFile:
    if path.is_dir():
        raise PackageError(f"{path} is a folder, not a package; a package is a file that --nav-package=PATH wrote")
    try:
        if path.exists() and not path.is_file():  # to open a FIFO is to wait for its writer
            raise PackageError(f"{path} is no regular file (but a device, a FIFO or a socket), so it is no package")
        return zipfile.ZipFile(path)
    except FileNotFoundError:
        partial = partial_path(path)
        beside = f"; {partial}, of a run that was not complete, is there" if partial.is_file() else ""
        raise PackageError(f"{path}: no such file; pytest --nav-package={path} writes it{beside}") from None
    except OSError as error:
        raise PackageError(f"{path} cannot be read ({error.strerror or error})") from error
    except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error) as error:
        raise PackageError(f"{path} {_why_not(path)}; {AGAIN}") from error


def _why_not(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(4)
    if not start:
        return "is empty"
    return TRUNCATED if start.startswith(b"PK") else "is not a package (not a ZIP file)"


def _checked_names(path: Path, archive: zipfile.ZipFile, limits: Limits) -> dict[str, zipfile.ZipInfo]:
    # Folders need no entry of their own.
    infos = archive.infolist()
    # In a truncated package the last sample's own end record is found, since an npz is a ZIP: it does not begin at 0.
    if infos and min(info.header_offset for info in infos) != 0:
        raise PackageError(f"{path} {TRUNCATED}; {AGAIN}")
    if not _ends(path, len(archive.comment)):
        raise PackageError(f"{path} goes on after its end: something was added to it; {AGAIN}")
    if problem := archive_problem(infos, path.stat().st_size, limits):
        raise PackageError(f"{path}: {problem}")
    return {info.filename: info for info in infos if not info.is_dir()}


def _ends(path: Path, comment: int) -> bool:
    # Something appended to a ZIP is found by no check of its members.
    with path.open("rb") as file:
        file.seek(-min(END + comment, path.stat().st_size), os.SEEK_END)
        return file.read(len(END_RECORD)) == END_RECORD
