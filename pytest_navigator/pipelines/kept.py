"""The list in the folder of a module: what became of its graphs, with the digests of their packages and of itself."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_navigator.core.digests import plain_digest
from pytest_navigator.core.plain import plain, structured, write_atomically
from pytest_navigator.pipelines.choice import Choice  # noqa: TC001  # cattrs reads annotations

if TYPE_CHECKING:
    from pathlib import Path

CHOICES = "choices.json"
LARGEST_LIST = 16 * 2**20  # More than this is no list of ours, B


@dataclass(frozen=True)
class Kept:
    """What `choices.json` says.

    Attributes:
        changing: names of what calls change in the module, and so is no part of its fingerprint.
        packages: name of a file beside it -> SHA-256.
    """

    fingerprint: str
    choices: list[Choice] = field(default_factory=list)
    changing: list[str] = field(default_factory=list)
    packages: dict[str, str] = field(default_factory=dict)


def is_whole(path: Path, digest: str) -> bool:
    """Whether a file is there, and what was written."""
    try:
        return file_digest(path) == digest
    except OSError:
        return False


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write(folder: Path, kept: Kept) -> None:
    """Write the list of a folder: readers see the old one or the new one."""
    content: Any = plain(kept)
    write_atomically(folder / CHOICES, json.dumps({**content, "sha256": plain_digest(content)}, indent=1).encode())


def read(folder: Path) -> Kept:
    """Read what a folder says of itself; raises whatever json and cattrs do, or ValueError, if it is not ours."""
    path = folder / CHOICES
    if path.stat().st_size > LARGEST_LIST:
        raise ValueError(path)
    content = json.loads(path.read_bytes())
    seal = content.pop("sha256")
    kept = structured(content, Kept)
    names = [*kept.packages, *(choice.package for choice in kept.choices)]
    if seal != plain_digest(content) or kept.fingerprint != folder.name or any("/" in n or "\\" in n for n in names):
        raise ValueError(path)
    return kept
