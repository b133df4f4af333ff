"""Protocol Buffers' encoding, as far as telling a file by its outermost fields needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VARINT = 0
FIXED = {1: 8, 5: 4}
LENGTH = 2
# Bytes of a number of 64 bits, 7 bits in each
LONGEST_VARINT = 10


class Truncated(Exception):
    """The file ends inside of a field, or holds what is no field."""


class Field(NamedTuple):
    """Number and kind (the wire type) of one field."""

    number: int
    kind: int


def fields(path: Path) -> Iterator[Field]:
    """Yield the outermost fields of a message, without reading what is in them.

    Raises:
        Truncated: the file is no complete message.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        while file.tell() < size:
            tag = _varint(file)
            field = Field(tag >> 3, tag & 7)
            yield field
            length = _length(file, field.kind)
            if file.tell() + length > size:
                raise Truncated
            file.seek(length, 1)


def _length(file: BinaryIO, kind: int) -> int:
    """Return how many bytes the content has; a number is read at once and leaves none."""
    if kind == VARINT:
        _varint(file)
        return 0
    if kind == LENGTH:
        return _varint(file)
    if kind not in FIXED:
        raise Truncated
    return FIXED[kind]


def _varint(file: BinaryIO) -> int:
    value = 0
    for position in range(LONGEST_VARINT):
        byte = file.read(1)
        if not byte:
            raise Truncated
        value |= (byte[0] & 0x7F) << 7 * position
        if not byte[0] & 0x80:
            return value
    raise Truncated
