"""The files with the weights of an ONNX file, read without ONNX: the process that runs the tests need not have it."""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# What an entry of a tensor's `external_data` begins with: key (field 1) "location", value (field 2).
ENTRY = b"\n\x08location\x12"
LONGEST = 4096  # Bytes of a path


def external_data(path: Path) -> list[Path]:
    """Return the files that an ONNX file says its weights are in, as far as they are there, in or below its folder.

    Numbers may look like such an entry, and so may a text of the file: what names no file is none.
    """
    if not path.stat().st_size:
        return []
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        locations = dict.fromkeys(_locations(content))
    root = path.parent.resolve()
    found = (path.parent / location for location in locations)
    return sorted({each for each in found if each != path and _is_part(each, root)})


def _is_part(path: Path, root: Path) -> bool:
    return path.is_file() and path.resolve().is_relative_to(root)


def _locations(content: mmap.mmap) -> Iterator[str]:
    begin = content.find(ENTRY)
    while begin >= 0:
        at = begin + len(ENTRY)
        length = _length(content[at : at + 2])
        at += 1 if length < 0x80 else 2
        text = content[at : at + length] if length <= LONGEST else b""
        if text and b"\0" not in text:
            yield text.decode(errors="surrogateescape")
        begin = content.find(ENTRY, at)


def _length(content: bytes) -> int:
    """Return the number of one or two bytes, 7 bits in each, that the length of a path is."""
    first, second = content.ljust(2, b"\0")
    return first if first < 0x80 else (first & 0x7F) | second << 7
