"""The part of a traceback that is the user's."""

from __future__ import annotations

import traceback

MACHINERY = ("pytest_navigator", "_pytest", "pluggy")
"""Packages whose frames lead to the user's code and say nothing about it."""


def users_traceback(error: BaseException) -> str:
    """Return a traceback from the first frame on that is not the machinery's; whole if there is none."""
    frame = error.__traceback__
    while frame is not None and frame.tb_frame.f_globals.get("__name__", "").partition(".")[0] in MACHINERY:
        frame = frame.tb_next
    return "".join(traceback.format_exception(type(error), error, frame or error.__traceback__)).rstrip()
