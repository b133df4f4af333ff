"""Text of others for a terminal: what would steer it is written out."""

from __future__ import annotations

import re

STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Control characters but for the tab and the end of a line; what ends a line or turns its direction in Unicode."""


def printable(text: str) -> str:
    r"""Return a text of several lines with its control characters as escapes: "\x1b[2J" is seen, and clears nothing."""
    return STEERING.sub(_escape, text)


def one_line(text: str) -> str:
    r"""Return a text that stays in its line: its ends of lines are escapes too, so that nobody forges another line."""
    return printable(text).replace("\n", "\\n")


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")
