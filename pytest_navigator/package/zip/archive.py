"""A ZIP that is either whole or not there: stored, with 64-bit sizes, the same bytes for the same content."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import tempfile
import uuid
import zipfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_navigator.core.ours import sweep
from pytest_navigator.errors import ConfigError, PackageError
from pytest_navigator.package.zip.file_names import check_names
from pytest_navigator.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

CHUNK = 2**20
SUFFIX = ".nav"
ZIP_START = b"PK"
ZIP_HEADER = 30  # Bytes before the name of a ZIP's first member
STATUS = "status.yaml"  # Name of the first member of every package of ours, which says what the others are
BUNDLE = "bundle.yaml"  # The same of a bundle, a file of the same form that holds the packages of a pipeline's modules
HEADS = (STATUS, BUNDLE)
LEFT = 3600.0  # Age in s of a half-written file from which on its writer was killed: a living one writes all the time

IRREGULAR = "this is no regular file (but a device, a FIFO or a socket), and stays; choose another name"
LOST = "this file is no package and would be lost; choose another name or delete it"
TIME = (1980, 1, 1, 0, 0, 0)  # The time of every member: ZIP's first, so that equal content is equal bytes
LONGEST_LOG = 16 * 1024 * 1024  # Bytes of a log in a package; the workspace has the whole of it
TEXTS = (".log", ".py", ".sh", ".txt", ".yaml")  # Files that are written by us or for people, and so are scrubbed


@dataclass(frozen=True)
class Member:
    """One file of a package.

    Attributes:
        name: in the package.
        content: the bytes, or the path of a file that is copied as it is.
    """

    name: str
    content: bytes | Path

    def chunks(self) -> Iterator[bytes]:
        """Yield the content in pieces."""
        if isinstance(self.content, bytes):
            yield self.content
            return
        with self.content.open("rb") as file:
            while chunk := file.read(CHUNK):
                yield chunk

    @property
    def size(self) -> int:
        """Size in bytes."""
        return len(self.content) if isinstance(self.content, bytes) else self.content.stat().st_size

    def digest(self) -> str:
        """Return the SHA-256 of the content."""
        total = hashlib.sha256()
        for chunk in self.chunks():
            total.update(chunk)
        return total.hexdigest()


def member(name: str, path: Path, scrub: Callable[[str], str]) -> Member:
    """Return a file of the workspace as a member; a text without what is private."""
    if path.suffix not in TEXTS:
        return Member(name, path)
    if path.suffix == ".log":
        return Member(name, printable(scrub(_log_text(path))).encode())
    text = path.read_bytes().decode(errors="surrogateescape")
    return Member(name, scrub(text).encode(errors="surrogateescape"))


def _log_text(path: Path) -> str:
    # Whatever others have printed; of a long one the beginning and the end tell most.
    size, half = path.stat().st_size, LONGEST_LOG // 2
    if size <= LONGEST_LOG:
        return path.read_bytes().decode(errors="backslashreplace")
    with path.open("rb") as file:
        first, _, last = file.read(half), file.seek(size - half), file.read(half)
    left_out = f"\n... {size - 2 * half} bytes left out ...\n"
    return left_out.join(part.decode(errors="backslashreplace") for part in (first, last))


def write_archive(target: Path, members: Sequence[Member], digests: dict[str, str], *, override: bool = True) -> None:
    """Write a ZIP with these members, in this order; whatever is at `target` stays until the new file is on the disk.

    Args:
        digests: what each member's SHA-256 has to be (status.yaml, which names them, needs none).
        override: whether a package that is at `target` is replaced.

    Raises:
        PackageError: a file changed since its digest was taken; a name is not portable; a file is at `target` that is
            no package, or must not be replaced.
        OSError: from the file system.
    """
    check_names(each.name for each in members)
    with _replacing(target, override=override) as temporary, temporary.open("xb") as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
            for each in members:
                digest = _store(archive, each)
                if digests.get(each.name, digest) != digest:
                    raise PackageError(f"{each.name} changed while it was packed; pack again when nothing writes it")
        file.flush()
        os.fsync(file.fileno())  # the old package must not go before the new one is on the disk


def check_writable(target: Path) -> str:
    """Find out before a run whether its package could be written after it.

    Returns:
        A hint for the user, "" if there is none.

    Raises:
        ConfigError: no; with the reason and what to do.
    """
    try:
        reason = _obstacle(target)
    except OSError as error:
        reason = f"cannot be written ({error.strerror}: {error.filename}); choose another folder"
    if reason:
        raise ConfigError(f"--nav-package={target}: {reason}")
    return "" if target.suffix == SUFFIX else f"{target.name} does not end in {SUFFIX}, which readers expect"


def is_bundle(path: Path) -> bool:
    """Whether a file begins as a bundle does; what else it is, opening it says."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        head = file.read(ZIP_HEADER + len(BUNDLE))
    return head.startswith(ZIP_START) and head[ZIP_HEADER:] == BUNDLE.encode()


def partial_path(target: Path) -> Path:
    """Return where an incomplete package goes: out.partial.nav beside out.nav."""
    return target.with_name(f"{target.name.removesuffix(SUFFIX)}.partial{SUFFIX}")


def _obstacle(target: Path) -> str:
    """Return why a package cannot be written, or let the file system say so."""
    if reason := _kept(target):
        return reason
    folder = next(parent for parent in target.absolute().parents if parent.exists())
    if not folder.is_dir():
        return f"{folder} is a file, so that nothing can be written below it"
    # access() tells root, and network file systems, something else than what happens.
    tempfile.TemporaryFile(dir=folder, prefix=f".{target.name}.").close()
    return ""


def _kept(target: Path) -> str:
    """Return why what is at a path must not be replaced, "" if it may be, or nothing is there."""
    try:
        mode = target.stat().st_mode  # asked once: another process may be writing it now
    except (FileNotFoundError, NotADirectoryError):
        return ""
    if stat.S_ISDIR(mode):
        return f"this is a folder; name a file in it, like {target / 'out.nav'}"
    if not stat.S_ISREG(mode):  # and nothing is opened: a FIFO would wait for its writer
        return IRREGULAR
    return "" if _is_ours(target) else LOST


def _is_ours(target: Path) -> bool:
    with target.open("rb") as file:
        return is_ours(file.read(longest_head()), target.name)


def longest_head() -> int:
    """Return how many bytes tell whether a file is a package."""
    return ZIP_HEADER + len(STATUS)


def is_ours(head: bytes, name: str) -> bool:
    """Whether what begins so is a package, or a bundle, which may be replaced."""
    # Model Navigator's, and empty ones, tell by their suffix only.
    named = name.endswith(SUFFIX)
    if not head.startswith(ZIP_START):
        return named and not head
    return named or head[ZIP_HEADER:] in {each.encode() for each in HEADS}  # both are as long


def _store(archive: zipfile.ZipFile, each: Member) -> str:
    info = zipfile.ZipInfo(each.name, TIME)
    info.create_system = 3
    info.external_attr = (0o100755 if each.name.endswith(".sh") else 0o100644) << 16
    # Decides whether the entry gets 64-bit sizes.
    info.file_size = each.size
    total = hashlib.sha256()
    with archive.open(info, "w") as entry:
        for chunk in each.chunks():
            entry.write(chunk)
            total.update(chunk)
    return total.hexdigest()


@contextmanager
def _replacing(target: Path, *, override: bool) -> Iterator[Path]:
    """Give a path beside `target` to write to; it takes the place of `target` if the block ends well, else it goes."""
    if reason := _kept(target):
        raise PackageError(f"{target}: {reason}")
    target = target.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    sweep(target.parent, re.compile(rf"\.{re.escape(target.name)}\.[0-9a-f]{{12}}").fullmatch, LEFT)
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex[:12]}")
    try:
        yield temporary
        if reason := _kept(target):  # large models take their time: it was not there when this began
            raise PackageError(f"{target}: {reason}, and pack again")
        _move(temporary, target, override=override)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    with suppress(OSError):  # some file systems cannot; the file itself is on the disk
        _sync_folder(target.parent)


def _move(temporary: Path, target: Path, *, override: bool) -> None:
    """Give a file its name; without `override` only if nobody else has taken the name in the meantime."""
    if not override:
        try:
            os.link(temporary, target)  # unlike a rename, it fails if somebody has taken the name
        except OSError as error:  # of a file system without links, too
            if isinstance(error, FileExistsError) or target.exists():
                raise PackageError(f"{target} exists; override=True replaces it") from None
        else:
            temporary.unlink()
            return
    os.replace(temporary, target)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
