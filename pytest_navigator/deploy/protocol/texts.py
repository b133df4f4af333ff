"""Arrays of text: in binary form each element has its length before it, in four bytes."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np

from pytest_navigator.core.records import TEXT_TYPES
from pytest_navigator.deploy.protocol.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LENGTH = struct.Struct("<I")

# numpy gives each element the room of the longest one: a small request could ask for any amount. In B.
MOST_ROOM = 256 * 2**20


def split(content: memoryview, count: int, name: str) -> list[bytes]:
    """Return the elements of a tensor in binary form.

    Raises:
        RequestError: these are not `count` elements.
    """
    found = list(_elements(content, name))
    if len(found) != count:
        raise RequestError(f"input {name!r}: its binary data has {len(found)} elements, its shape says {count}")
    return found


def _elements(content: memoryview, name: str) -> Iterator[bytes]:
    start, end = 0, len(content)
    while start < end:
        begin = start + LENGTH.size
        stop = begin + LENGTH.unpack(content[start:begin])[0] if begin <= end else end + 1
        if stop > end:
            raise RequestError(f"input {name!r}: its binary data ends within an element (each has 4 bytes of length)")
        yield bytes(content[begin:stop])
        start = stop


def joined(array: np.ndarray) -> bytes:
    """Return an array of text in binary form."""
    elements = [each if isinstance(each, bytes) else str(each).encode() for each in array.ravel().tolist()]
    return b"".join(part for each in elements for part in (LENGTH.pack(len(each)), each))


def array_of(elements: Sequence[str | bytes], dtype: str, shape: tuple[int, ...], name: str) -> np.ndarray:
    """Return elements as the array that a model takes.

    Args:
        dtype: our name of its type, "str" or "bytes".

    Raises:
        RequestError: they are not UTF-8, end with what numpy cuts off, or take too much room.
    """
    try:
        texts = [_as(each, dtype) for each in elements]
    except UnicodeError as error:
        raise RequestError(f"input {name!r}: the model takes text in UTF-8, and this is none: {error}") from None
    longest = max(map(len, texts), default=0)
    if longest * len(texts) * (4 if dtype == TEXT_TYPES["U"] else 1) > MOST_ROOM:
        raise RequestError(f"input {name!r}: {len(texts)} elements with one of {longest} are too much at once", 413)
    if any(text[-1:] in ("\0", b"\0") for text in texts):
        raise RequestError(f"input {name!r}: an element ends with a zero byte, which arrays of text cannot hold")
    return np.array(texts, dtype="U" if dtype == TEXT_TYPES["U"] else "S").reshape(shape)


def _as(element: str | bytes, dtype: str) -> str | bytes:
    # JSON can have halves of characters, which no encoding has: encoding tells.
    content = element.encode() if isinstance(element, str) else element
    return content.decode() if dtype == TEXT_TYPES["U"] else content


def strings(array: np.ndarray, name: str) -> list[str]:
    """Return the elements as JSON can have them.

    Raises:
        RequestError: they are bytes that are not UTF-8.
    """
    try:
        return [each.decode() if isinstance(each, bytes) else str(each) for each in array.ravel().tolist()]
    except UnicodeDecodeError:
        raise RequestError(
            f"output {name!r} is no UTF-8 here, so that JSON cannot have it: ask for it with "
            '"parameters": {"binary_data": true}'
        ) from None
