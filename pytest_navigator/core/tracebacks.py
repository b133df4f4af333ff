"""The part of a traceback that is the user's, and who wants it whole."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

from pytest_navigator.text import LOG, bounded

if TYPE_CHECKING:
    from types import TracebackType

# Packages whose frames lead to the user's code and say nothing about it.
MACHINERY = ("pytest_navigator", "_pytest", "pluggy")


def users_frames(error: BaseException) -> TracebackType | None:
    """Return the traceback from the first frame on that is not the machinery's; whole if there is none."""
    frame = error.__traceback__
    while frame is not None and frame.tb_frame.f_globals.get("__name__", "").partition(".")[0] in MACHINERY:
        frame = frame.tb_next
    return frame or error.__traceback__


def users_traceback(error: BaseException) -> str:
    """Return the text of `users_frames`."""
    return bounded("".join(traceback.format_exception(type(error), error, users_frames(error))).rstrip(), LOG)
