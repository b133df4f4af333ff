"""Where a step needs the live model, in this process: its output goes to a log, its time is limited."""

from __future__ import annotations

import logging
import sys
import threading
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pytest_navigator.errors import StepFailed
from pytest_navigator.isolation.alarm import alarm
from pytest_navigator.isolation.capture import redirected, tail

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


_ONE = threading.RLock()  # Held by a section: what it redirects is the whole process's


@contextmanager
def outside() -> Iterator[None]:
    """Wait until no thread is in a section: what this one writes would be in the other's log."""
    with _ONE:
        yield


@contextmanager
def live_section(log: Path, limit: float | None) -> Iterator[None]:
    """Run a step that needs the live model in this process: its output goes to the log, its time is limited.

    A native call cannot be interrupted from Python; the limit takes effect when it returns. One thread at a time: the
    others wait for it.

    Raises:
        StepFailed: the limit has passed.
    """
    try:
        with _ONE, redirected(log), _warnings_to_stderr(), _logging_to_stderr(), alarm(limit):
            yield
    except StepFailed as error:
        if not error.detail:
            error.detail = tail(log)
        raise


@contextmanager
def _warnings_to_stderr() -> Iterator[None]:
    # No user can act on those of exporters; they would fill pytest's summary, and fail it with `-W error`.
    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: object = None,
        line: str | None = None,
    ) -> None:
        sys.stderr.write(warnings.formatwarning(message, category, filename, lineno, line))

    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.showwarning = show
        yield


@contextmanager
def _logging_to_stderr() -> Iterator[None]:
    # Torch alone logs hundreds of debug lines, which pytest would show as "Captured log".
    root = logging.getLogger()
    handler = logging.StreamHandler(sys.stderr)
    handler.setLevel(logging.WARNING)
    # Levels, not the list: pytest 9.2 adds its handlers to loggers that do not propagate as well (torch's own).
    levels = {muted: muted.level for muted in root.handlers}
    for muted in levels:
        muted.setLevel(logging.CRITICAL + 1)
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        for muted, level in levels.items():
            muted.setLevel(level)
