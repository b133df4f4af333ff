"""A ZIP of ours, open for reading: each file is compared with its digest, and nothing is written elsewhere."""

from __future__ import annotations

import hashlib
import os
import struct
import uuid
import zipfile
import zlib
from typing import TYPE_CHECKING, ClassVar

from pytest_navigator.errors import PackageError
from pytest_navigator.package.zip.archive import CHUNK, partial_path
from pytest_navigator.package.zip.safety import Limits, archive_problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from typing import Self

# More than this is no head, B; in a file that is smaller than it, more than the second and the file.
LARGEST_HEAD = 64 * 2**20
SMALL_HEAD = 8 * 2**20

# How the last record of a ZIP starts, and its size in B without the comment.
END_RECORD = b"PK\5\6"
END = 22

TRUNCATED = "is truncated or damaged"
AGAIN = "make it again with pytest --nav-package=PATH, or get another copy"


class CheckedFile:
    """An open ZIP whose head, one of its files, lists the digests of the others. A context manager.

    Attributes:
        path: of the file.
    """

    head: ClassVar[str]
    """Name of the file in it that is read first, which is not listed itself."""

    def __init__(self, path: Path, archive: zipfile.ZipFile, limits: Limits) -> None:
        self.path = path
        self._archive = archive
        self._names = _checked_names(path, archive, limits)
        self._digests: dict[str, str] = {}  # known once the head is read

    def files(self) -> dict[str, str]:
        """Return name -> SHA-256 of every file but the head; "" where none is recorded."""
        return {name: self._digests.get(name, "") for name in self._names if name != self.head}

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
        # The head holds the digests and is asked for before they are known.
        if name != self.head and self._digests.get(name, total.hexdigest()) != total.hexdigest():
            raise PackageError(f"{self.path}: {name} is not what was packed (SHA-256 differs); {AGAIN}")

    def _read_head(self) -> bytes:
        """Return the content of the head.

        Raises:
            PackageError: it has none, or one that is too large to be one.
        """
        info = self._names.get(self.head)
        if info is None:
            raise PackageError(f"{self.path} {self._no_head()}")
        if info.file_size > min(LARGEST_HEAD, SMALL_HEAD + self.path.stat().st_size):
            raise PackageError(f"{self.path}: its {self.head} is too large to be one ({info.file_size} B)")
        return self.read(self.head)

    def _no_head(self) -> str:
        """Return what a file is that has no head."""
        return f"is a ZIP, but no package: it has no {self.head}"

    def _set_digests(self, digests: dict[str, str]) -> None:
        """Take what the head lists; {}: it has no list.

        Raises:
            PackageError: other files are there.
        """
        self._digests = digests
        if not digests:
            return
        if gone := sorted(digests.keys() - self._names.keys()):
            raise PackageError(f"{self.path}: {gone[0]} is missing; {AGAIN}")
        if added := sorted(self._names.keys() - digests.keys() - {self.head}):
            raise PackageError(f"{self.path}: {added[0]} was added after the package was written; {AGAIN}")

    def _absence(self, name: str) -> str:
        """Return why a file is not there."""
        return "no such file"

    def _info(self, name: str) -> zipfile.ZipInfo:
        if name in self._names:
            return self._names[name]
        raise PackageError(f"{self.path}: {name}: {self._absence(name)}")

    def _damaged(self) -> Iterator[PackageError]:
        for name in self.files():
            try:
                for _ in self.chunks(name):
                    pass
            except PackageError as error:
                yield error

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


def opened(path: Path, writer: str = "pytest --nav-package={path}") -> zipfile.ZipFile:
    """Open a ZIP.

    Args:
        writer: what writes such a file.

    Raises:
        PackageError: there is none, it is truncated or something else.
    """
    if path.is_dir():
        raise PackageError(f"{path} is a folder, not a package; a package is a file that --nav-package=PATH wrote")
    try:
        if path.exists() and not path.is_file():  # to open a FIFO is to wait for its writer
            raise PackageError(f"{path} is no regular file (but a device, a FIFO or a socket), so it is no package")
        return zipfile.ZipFile(path)
    except FileNotFoundError:
        partial = partial_path(path)
        beside = f"; {partial}, of a run that was not complete, is there" if partial.is_file() else ""
        raise PackageError(f"{path}: no such file; {writer.format(path=path)} writes it{beside}") from None
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
