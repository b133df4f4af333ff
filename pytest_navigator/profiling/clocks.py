"""What a call takes where others use the processors: clocks of the machine, the process and its scheduler."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Now = tuple[int, int, int]


def _never() -> int:
    return 0


class Clock(NamedTuple):
    """What tells the time, in ns.

    Attributes:
        wall: that on the wall.
        processor: that which this process has spent on processors.
        waiting: that for which this thread was ready and had no processor; 0 where the platform does not tell.
    """

    wall: Callable[[], int] = time.perf_counter_ns
    processor: Callable[[], int] = time.process_time_ns
    waiting: Callable[[], int] = _never

    def latency(self, call: Callable[[], object]) -> int:
        """Return what a call takes."""
        begin = self.wall()
        call()
        return self.wall() - begin

    def undisturbed(self, call: Callable[[], object]) -> int:
        """Return what a call takes without the time that its thread waited for a processor.

        It is no less than the call computes: another thread of the process may do so while this one waits.
        """
        return self.computed(call)[0]

    def computed(self, call: Callable[[], object]) -> tuple[int, int]:
        """Return the same, and the time on processors that the call took."""
        begin = self.now()
        call()
        return self.since(begin)

    def now(self) -> Now:
        """Return what the clocks say."""
        return self.wall(), self.processor(), self.waiting()

    def since(self, begin: Now) -> tuple[int, int]:
        """Return what has passed without the time that this thread waited for a processor, and that on processors."""
        wall, processor, waiting = begin
        waited, spent = self.waiting() - waiting, self.processor() - processor
        took = self.wall() - wall
        return max(took - waited, min(took, spent)), spent


@contextmanager
def clocks() -> Iterator[Clock]:
    """Give the clocks of this thread.

    Without what the scheduler of Linux counts, the fastest of eight calls of 3 ms beside ten busy processes was off by
    up to 100 %; with it the median of all of them is off by 1 %. Reading it takes 1 us.
    """
    with ExitStack() as stack:
        try:
            counts = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
            stack.callback(os.close, counts)
            _waited(counts)
        except (OSError, ValueError, IndexError):  # no Linux, or a sandbox that plays one
            yield Clock()
        else:
            yield Clock(waiting=partial(_waited, counts))


def _waited(counts: int) -> int:
    return int(os.pread(counts, 64, 0).split()[1])
