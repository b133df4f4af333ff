"""A limit of time for what runs in this process, beside an alarm that somebody else has set (pytest-timeout's)."""

from __future__ import annotations

import math
import signal
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pytest_navigator.errors import StepFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

SOON = 1e-3  # s; a timer that is set to 0 never rings


@contextmanager
def alarm(limit: float | None) -> Iterator[None]:
    """Interrupt the block in the main thread once `limit` s have passed; another alarm rings when it is due.

    The block may not go on after that, nor call the interruption an error of its own: libraries catch everything.
    Does nothing in another thread, and where there is no SIGALRM.

    Raises:
        StepFailed: the limit has passed.
    """
    if limit is None or threading.current_thread() is not threading.main_thread() or not hasattr(signal, "SIGALRM"):
        yield
        return
    clock = _Clock(limit)
    late = StepFailed(f"no answer within {limit:.3g} s", kind="timeout")
    try:
        yield
    except BaseException as error:
        around = isinstance(error, _TimeIsUp) and error is not clock.up  # a limit around this one
        # A library may make an error of its own of the alarm: once it has rung, whatever comes is the end of the time.
        if around or not clock.rang or isinstance(error, KeyboardInterrupt):
            raise
        raise late from None
    finally:
        clock.stop()
    if clock.rang:
        raise late


class _TimeIsUp(BaseException):
    """Raised by the alarm; no `except Exception` of a library swallows it."""


class _Clock:
    """The process's one timer, shared by two alarms: it is set to the one that is due first."""

    def __init__(self, limit: float) -> None:
        self.up = _TimeIsUp()
        self.rang = False
        theirs, self._interval = signal.setitimer(signal.ITIMER_REAL, 0)
        self._due = time.monotonic() + theirs if theirs else math.inf
        self._end = time.monotonic() + limit
        self._before: Any = signal.signal(signal.SIGALRM, self._ring)
        self._set(min(self._due, self._end))

    def stop(self) -> None:
        """Give the timer back."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self._before)
        if self._due < math.inf:
            self._set(self._due, self._interval)

    def _ring(self, number: int, frame: Any) -> None:
        if self._end < self._due:
            self.rang = True
            raise self.up
        # Theirs was due: it rings as if nobody were in between.
        self._due = self._due + self._interval if self._interval else math.inf
        self._set(min(self._due, self._end))
        if callable(self._before):
            self._before(number, frame)
        elif self._before == signal.SIG_DFL:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    def _set(self, due: float, interval: float = 0.0) -> None:
        signal.setitimer(signal.ITIMER_REAL, max(SOON, due - time.monotonic()), interval)
