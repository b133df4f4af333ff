"""A run that is told to end (CI cancels it, a terminal closes) ends like one that Ctrl-C stops."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import FrameType

SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


class Terminated(KeyboardInterrupt):
    """The process was told to end; whatever treats Ctrl-C well treats this well."""


@dataclass
class Termination:
    """Turns the first such signal into an interrupt of the main thread; later ones change nothing.

    Attributes:
        workers: processes that are told too: a terminal tells all, CI tells the first one only.
        finishing: what has run is being written: from then on a signal is noted, and interrupts nothing.
        exit_code: of a process that the signal ends, 0 if none came.
    """

    workers: list[int] = field(default_factory=list)
    finishing: bool = False
    exit_code: int = 0
    _before: dict[int, Any] = field(default_factory=dict)

    def listen(self) -> None:
        """Begin; a signal that somebody else treats, or that is ignored (nohup), stays theirs."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in SIGNALS:
            if signal.getsignal(number) is signal.SIG_DFL:
                self._before[number] = signal.signal(number, self._receive)

    def stop(self) -> None:
        """Leave the signals to whoever had them."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.exit_code:
            return
        self.exit_code = 128 + number
        for pid in self.workers:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)
        if not self.finishing:
            raise Terminated(f"{signal.Signals(number).name}: this run was told to end")
