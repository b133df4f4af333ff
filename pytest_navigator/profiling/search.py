"""Which batch sizes are worth measuring: each is timed for a short time, twice the one before, until nothing is gained.

Ours, after a look at Model Navigator's: that profiles every size in full. The curve of one axis has one top, nearly: a
short time a size shows where it is, and three sizes are measured in full.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from pytest_navigator.core.records import SizeFigure
from pytest_navigator.profiling.machine import Growth
from pytest_navigator.profiling.measuring import NS_PER_MS, NS_PER_S, timed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pytest_navigator.configuration.batch_search import Search

PER_SIZE = 0.3  # s
LEAST = 5  # Calls of a size, however slow they are
NEARLY = 0.95  # Of the highest throughput: what the knee has at least
ROOM = 0.9  # Of the memory that is left: what the next size may take

# Why no larger size was tried.
SATURATED, BUDGET, MEMORY, TIME, FAILURE, LARGEST = (
    *("saturated", "latency budget", "memory", "time limit", "failure", "largest size"),
)


@dataclass(frozen=True)
class Found:
    """What a search found.

    Attributes:
        sizes: those that were timed, in order.
        ended: why no larger one was; reason: the same for people, with figures.
    """

    sizes: tuple[SizeFigure, ...]
    ended: str
    reason: str


def search_sizes(
    bind: Callable[[int], Callable[[], object]],
    search: Search,
    sizes: Iterable[int],
    *,
    note: Callable[[SizeFigure], None] = lambda figure: None,
    told: Callable[[Exception], str] = str,
    clock: Callable[[], int] = time.perf_counter_ns,
    growth: Growth | None = None,
) -> Found:
    """Time the sizes until one of the limits ends it.

    Args:
        bind: a batch size -> the bare call on so many rows.
        note: is called after each size: what it keeps outlives this process.
        told: an error, for people.
        clock: in ns.
        growth: of this process, from before the first size.

    Raises:
        Exception: what the runner raises on the first size.
    """
    begin, grown, found = clock(), growth or Growth(), list[SizeFigure]()
    for size in sizes:
        if ending := _ending(search, found, size, (clock() - begin) / NS_PER_S, grown):
            return Found(tuple(found), *ending)
        try:
            found.append(_figure(size, timed(bind(size), clock, PER_SIZE, LEAST), grown))
        except Exception as error:  # of whatever the runtime raises where memory is lacking, or its file takes no more
            if not found:
                raise
            return Found(tuple(found), FAILURE, f"batch {size}: {told(error)}")
        note(found[-1])
    return Found(tuple(found), LARGEST, f"{found[-1].batch_size} is the largest size" if found else "")


def chosen(sizes: Sequence[SizeFigure], budget: float | None) -> tuple[int | None, int | None]:
    """Return the knee and the best of some sizes; None where there are none.

    Args:
        budget: of a call, in ms; where no size is within it, the first one is all that there is.
    """
    fitting = [each for each in sizes if budget is None or each.p50_latency <= budget] or sizes[:1]
    if not fitting:
        return None, None
    best = max(fitting, key=lambda each: each.highest)
    knee = next(each for each in fitting if each.highest >= NEARLY * best.highest)
    return knee.batch_size, best.batch_size


def _figure(size: int, latencies: Sequence[int], grown: Growth) -> SizeFigure:
    return SizeFigure(size, median(latencies) / NS_PER_MS, min(latencies) / NS_PER_MS, len(latencies), grown.used())


def _ending(
    search: Search, found: Sequence[SizeFigure], size: int, spent: float, grown: Growth
) -> tuple[str, str] | None:
    """Return why a size is not tried, and the same with figures; None to go on."""
    if not found:
        return None
    last = found[-1]
    times = size / last.batch_size
    if search.saturated([each.highest for each in found]):
        return SATURATED, f"{search.backoff} sizes gained less than {search.threshold:.0%}".replace("%", " %")
    if search.latency_budget is not None and last.p50_latency > search.latency_budget:
        over = f"{last.p50_latency:.3g} ms, the latency budget is {search.latency_budget:g} ms"
        return BUDGET, f"batch {last.batch_size} takes {over}"
    needed, left = grown.used() * (times - 1), grown.left()
    if left is not None and needed > ROOM * left:
        return MEMORY, f"batch {size} would take {needed:.0f} MiB more, {left:.0f} MiB are left"
    # The first call of a size may compile, and does not count.
    if spent + max(PER_SIZE, (LEAST + 1) * times * last.p50_latency / 1000) > search.seconds:
        return TIME, f"batch {size} would end after the {search.seconds:g} s of the search"
    return None
