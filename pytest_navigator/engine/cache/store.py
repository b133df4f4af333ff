"""What `--nav-cache` keeps its entries in, whatever that is: whole ones only, and checked before they are used."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, Protocol

from pytest_navigator.core.digests import plain_digest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_navigator.core.plain import JSON

ENTRY = "entry.json"  # In an entry: its record, and the SHA-256 of every file and of itself
CHUNK = 2**20
LARGEST = 2**26  # B of such a description, with the log of its step: others write into a shared cache

# What reading something raises that is half an entry, another one, or was changed.
DAMAGED = (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError)


@dataclass(frozen=True)
class Entry:
    """What is known of one step.

    Attributes:
        name: of the entry; path: of what it is read from: its folder, or the file that was fetched.
        record: plain data.
        files: name -> SHA-256.
    """

    name: str
    path: Path
    record: dict[str, JSON]
    files: dict[str, str]


class Store(Protocol):
    """A cache. What is wrong with it is said, once; it never fails a run that has begun."""

    def prepare(self, workspace: Path) -> None:
        """Find what cannot be a cache before the run; remove what killed runs have left in it.

        Raises:
            ConfigError: with the reason.
        """

    def read(self, name: str) -> Entry | None:
        """Return an entry, None if there is none; a damaged one is taken away."""

    def take(self, entry: Entry, target: Path) -> bool:
        """Copy the files of an entry into an empty folder; False if one is damaged, and then nothing must be used."""

    def add(self, name: str, record: dict[str, JSON], files: Mapping[str, Path]) -> None:
        """Write an entry, unless another run was faster or it cannot be."""

    def shown(self, name: str) -> str:
        """Return where an entry is, for people."""

    def close(self) -> None:
        """Remove what this process has fetched."""


def described(name: str, record: dict[str, JSON], digests: Mapping[str, str]) -> bytes:
    """Return what an entry says of itself: the content of `ENTRY`."""
    content: dict[str, JSON] = {"name": name, "record": record, "files": dict(digests)}
    return json.dumps({**content, "sha256": plain_digest(content)}).encode()


def parsed(file: IO[bytes], name: str, path: Path) -> Entry:
    """Read what an entry says of itself.

    Raises:
        DAMAGED: it is half an entry, another one, or was changed.
    """
    text = file.read(LARGEST + 1)
    if len(text) > LARGEST:
        raise ValueError(name)
    content = json.loads(text)
    if content.pop("sha256") != plain_digest(content) or content["name"] != name:
        raise ValueError(name)
    # Others write into a shared cache: what is copied into the workspace must not leave it.
    if any(PurePosixPath(inner).is_absolute() or ".." in PurePosixPath(inner).parts for inner in content["files"]):
        raise ValueError(name)
    return Entry(name, path, content["record"], content["files"])


def streamed(source: IO[bytes], target: IO[bytes]) -> str:
    """Copy what is left of a file, and return the SHA-256 of it."""
    total = hashlib.sha256()
    while chunk := source.read(CHUNK):
        total.update(chunk)
        target.write(chunk)
    return total.hexdigest()
