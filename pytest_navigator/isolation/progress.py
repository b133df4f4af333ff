"""The elapsed time of a long step, while it runs."""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

INTERVAL = 10.0  # s between two signs of life


class Progress:
    """Writes to the terminal itself, past the capturing that is on while a test runs.

    Args:
        shown: whether to write at all (`-v`, and not in an xdist worker).
        within_line: whether the line of the step has begun, as pytest begins those of its tests.
    """

    def __init__(self, shown: bool, *, within_line: bool = True) -> None:
        self._form = "\n  {step}: {seconds:.0f} s ..." if within_line else "  {step}: {seconds:.0f} s ...\n"
        self._terminal = os.dup(1) if shown else None  # before anybody captures it

    @contextmanager
    def of(self, step: str, interval: float = INTERVAL) -> Iterator[None]:
        """Say every `interval` s how long the step has been running."""
        if self._terminal is None:
            yield
            return
        done = threading.Event()
        thread = threading.Thread(target=self._tell, args=(step, interval, done), daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _tell(self, step: str, interval: float, done: threading.Event) -> None:
        begin = time.monotonic()
        while self._terminal is not None and not done.wait(interval):
            text = self._form.format(step=step, seconds=time.monotonic() - begin)
            os.write(self._terminal, text.encode(errors="backslashreplace"))

    def close(self) -> None:
        """Free the terminal."""
        if self._terminal is not None:
            os.close(self._terminal)
            self._terminal = None
