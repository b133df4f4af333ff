"""The door for text of others: what would steer a terminal or cannot be written is an escape, what is long is cut."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

Place = TypeVar("Place")

# Control characters but for the tab and the end of a line; what ends a line or turns its direction in Unicode; halves
# of a pair of surrogates, which stand for the bytes of a file name that is not UTF-8 and cannot be written.
STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

# Characters of a one-line reason, which stands in every report that follows from it, and of a text on a terminal.
LINE = 4 * 1024

RECORD = 64 * 1024  # Characters of any other text in a record, and so in a package and in junit's XML
LOG = 1024 * 1024  # Characters that a step adds to its log of one text: that of an exception


def bounded(text: str, limit: int) -> str:
    """Return a text of at most about `limit` characters: what is left out of its middle is said there."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]} ... {len(text) - 2 * half} characters left out ... {text[-half:]}"


def writable(text: str) -> str:
    r"""Return a text that every encoding of Unicode can write: half of a pair of surrogates is seen as "\udcff"."""
    return text.encode(errors="backslashreplace").decode()


def text_of(error: BaseException) -> str:
    """Return what an exception of others says, whatever its own `__str__` does."""
    try:
        return str(error)
    except Exception as worse:
        return f"(what it says cannot be had: its __str__ raised {type(worse).__name__})"


def printable(text: str) -> str:
    r"""Return a text of several lines with its control characters as escapes: "\x1b[2J" is seen, and clears nothing."""
    return STEERING.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def one_line(text: str) -> str:
    r"""Return a text that stays in its line: its ends of lines are escapes too, so that nobody forges another line."""
    return printable(bounded(text, RECORD)).replace("\n", "\\n")


def with_article(name: str) -> str:
    """Return "an onnx", "a torch"."""
    return f"{'an' if name[:1].lower() in ('a', 'e', 'i', 'o') else 'a'} {name}"


def columns(rows: Sequence[Sequence[str]], indent: str = "  ") -> list[str]:
    """Return rows with aligned columns."""
    rows = [[bounded(cell, LINE) for cell in row] for row in rows]  # one long name makes every row as long
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)) for row in rows)
    return [f"{indent}{line}".rstrip() for line in lines]


def short_path(path: Place, start: Path) -> Place | Path:
    """Return a path as people read it: relative if it is below `start`; a URL as it is."""
    return path.relative_to(start) if isinstance(path, Path) and path.is_relative_to(start) else path
