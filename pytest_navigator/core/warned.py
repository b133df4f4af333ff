"""Warnings that show the line of the user's that led to them, and none of this package or of torch."""

from __future__ import annotations

import inspect
import itertools
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

PASSED = ("pytest_navigator", "torch", "contextlib")
"""Packages whose lines say nothing to who reads a warning."""


def warn(message: str) -> None:
    """Warn (UserWarning) of the line of the user's that is being run; of the caller's where there is none."""
    # `skip_file_prefixes` is of Python 3.12.
    callers = zip(itertools.count(2), _callers(inspect.currentframe()), strict=False)
    level = next((level for level, frame in callers if _package(frame) not in PASSED), 2)
    warnings.warn(message, UserWarning, stacklevel=level)


def _callers(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None and frame.f_back is not None:
        frame = frame.f_back
        yield frame


def _package(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]
