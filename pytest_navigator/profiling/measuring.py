"""How fast a runner is: windows of inferences, stability, percentiles, and under which circumstances.

The constants and the rule of stability are Model Navigator's. The statistics are not: there a std is one of stds and a
percentile one of percentiles; here each figure is computed over every latency of the windows that count.
"""

from __future__ import annotations

import gc
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from math import inf
from statistics import fmean, median
from typing import TYPE_CHECKING, Any

from pytest_navigator.core.records import ProfileResult
from pytest_navigator.profiling import machine
from pytest_navigator.profiling.fastest import fastest
from pytest_navigator.profiling.figures import WAITED, rate
from pytest_navigator.profiling.quiet import RUN, quietest
from pytest_navigator.profiling.waiting import Others, Waiting, spinning, tracing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pytest_navigator.configuration.profile_config import Windows

SMALLEST_WINDOW = 5  # Inferences; no window is smaller, however slow the model is, unless a smaller one was asked for

NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000

_WARM_UP_SHARE = 0.1
_WARM_UP_LENGTH = NS_PER_S // 40  # long enough for the processor to reach its clock
_WARM_UP_ROUND = 5
_STILL_FALLING = 0.95

_SEEK = NS_PER_S // 2
_PAUSE = 0.01  # s
_AGREE, _ALIKE = 3, 1.05  # So many bursts within so much of the fastest one


def measure(
    call: Callable[[], object],
    windows: Windows,
    *,
    batch_size: int | None,
    seconds: float = 10.0,
    gpu_clock: Callable[[], float | None] | None = None,
    clock: Callable[[], int] = time.perf_counter_ns,
    waiting: Callable[[], Waiting | None] = Waiting,
) -> ProfileResult:
    """Time a call until its latency is stable.

    Never fails for slowness or noise: `stability` of the result says what came of it. A window ends early when its
    share of `seconds` is used up, so that `min_trials` of them fit; of what is too slow even for that there is one
    window of `SMALLEST_WINDOW` inferences, which may take longer than `seconds`.

    Args:
        call: the bare inference, done when it returns.
        batch_size: None without a batch axis.
        seconds: limit of the whole, warm-up included, but for the smallest window; the windows get half of it even if
            the first call took more (it may compile).
        gpu_clock: asked after each window, in MHz; None: not recorded.
        clock: in ns.
        waiting: begins to count what threads wait; where they do, quiet calls are looked for, for half a second more.
    """
    contention, wait = machine.Contention(), waiting()
    limit = round(seconds * NS_PER_S)
    begin = clock()
    rounds = _warm_up(_Stopwatch(call, clock, begin + round(limit * _WARM_UP_SHARE), floor=1))
    smallest = SMALLEST_WINDOW if windows.interval is not None else min(SMALLEST_WINDOW, windows.size)
    watch = _Stopwatch(call, clock, max(begin + limit, clock() + limit // 2), floor=smallest)
    trials, stability, clocks = _run(watch, windows, gpu_clock)
    share = contention.share()
    return summary(
        trials[-windows.stabilization_windows :],
        batch_size,
        stability=stability,
        contention=share,
        avg_gpu_clock=fmean(clocks) if clocks else None,
        **_quiet(watch, [*rounds, *trials], wait.found() if wait else None),
    )


def _quiet(watch: _Stopwatch, timed: list[list[int]], found: tuple[float, int] | None) -> dict[str, Any]:
    """Return what the quietest calls took, and what disturbed the others; looks for more where threads had to wait."""
    waited, threads = found or (None, 0)
    others: dict[str, float] = {}
    if waited is not None and waited >= WAITED:
        beside = Others()
        timed = [*timed, *_seek(watch)]
        others = beside.shares()
    floor = min(min(each) for each in timed if each) / NS_PER_MS
    quiet = quietest(timed) / NS_PER_MS
    return {
        "quiet": quiet,
        "floor": floor,
        "waited": waited,
        "threads": threads,
        "others": others,
        "spinning": spinning(),
        "tracing": tracing(),
    }


def _seek(watch: _Stopwatch) -> list[list[int]]:
    """Time a few calls at a time, with pauses, until some of them agree on the fastest.

    After a pause threads that spun sleep, and the scheduler owes the process a turn: beside busy loops three times as
    many calls were quiet.
    """
    end = min(watch.deadline, watch.clock() + _SEEK)
    bursts: list[list[int]] = []
    while watch.clock() < end and not _agree(bursts):
        time.sleep(_PAUSE)
        bursts.append(_Stopwatch(watch.call, watch.clock, end, floor=1).time(RUN, RUN, 0))
    return bursts


def _agree(bursts: list[list[int]]) -> bool:
    medians = sorted(median(each) for each in bursts if len(each) == RUN)
    return len(medians) >= _AGREE and medians[_AGREE - 1] <= _ALIKE * medians[0]


def timed(call: Callable[[], object], clock: Callable[[], int], seconds: float, least: int) -> list[int]:
    """Return the latencies of a call in ns: of as many calls as the time has room for, at least so many.

    The first call does not count: it may compile, or take memory.
    """
    watch = _Stopwatch(call, clock, sys.maxsize, floor=least)
    watch.time(1, 1, 0)
    return watch.time(least, sys.maxsize, clock() + round(seconds * NS_PER_S))


def summary(trials: Sequence[Sequence[int]], batch_size: int | None, **circumstances: Any) -> ProfileResult:
    """Return the figures of windows of latencies (in ns), over all of their latencies.

    Args:
        circumstances: further fields of the result.
    """
    import numpy as np

    latencies = np.array([latency for window in trials for latency in window], dtype=np.float64) / NS_PER_MS
    p25, p50, p75, p90, p95, p99 = (float(value) for value in np.percentile(latencies, (25, 50, 75, 90, 95, 99)))
    average = float(latencies.mean())
    return ProfileResult(
        batch_size=batch_size,
        avg_latency=average,
        std_latency=float(latencies.std()),
        p50_latency=p50,
        p90_latency=p90,
        p95_latency=p95,
        p99_latency=p99,
        throughput=rate(p50 or average, batch_size),
        request_count=len(latencies),
        quartiles=(float(latencies.min()), p25, p75),
        windows=len(trials),
        window_means=tuple(fmean(window) / NS_PER_MS for window in trials),
        latencies=tuple(latencies.tolist()),
        fastest=fastest(latencies),
        **circumstances,
    )


@dataclass(frozen=True)
class _Stopwatch:
    """Times `call` by `clock` until `deadline` (ns), but `floor` calls at a time in any case."""

    call: Callable[[], object]
    clock: Callable[[], int]
    deadline: int
    floor: int

    def left(self) -> int:
        return max(0, self.deadline - self.clock())

    def time(self, least: int, most: int, until: int) -> list[int]:
        """Return the latencies of `least` to `most` calls, until `until`; fewer if the next would miss the deadline."""
        call, clock, deadline, floor = self.call, self.clock, self.deadline, self.floor
        latencies: list[int] = []
        with undisturbed():
            for done in count(1):
                begin = clock()
                call()
                end = clock()
                latencies.append(end - begin)
                late = done >= floor and 2 * end - begin > deadline
                if done >= most or (done >= least and end >= until) or late:
                    break
        return latencies


def _warm_up(watch: _Stopwatch) -> list[list[int]]:
    """Return the latencies of calls until they do not get faster any more."""
    # A compiler, a cache or a clock that rises makes the first ones slower than all that follow.
    enough = watch.clock() + _WARM_UP_LENGTH
    rounds = [watch.time(1, 1, 0)]
    before, latency = inf, fmean(rounds[0])
    while latency < before * _STILL_FALLING and latency < watch.left():
        rounds.append(watch.time(_WARM_UP_ROUND, sys.maxsize, enough))
        before, latency = latency, fmean(rounds[-1][-_WARM_UP_ROUND:])
    return rounds


def _run(
    watch: _Stopwatch, windows: Windows, gpu_clock: Callable[[], float | None] | None
) -> tuple[list[list[int]], str, list[float]]:
    window = _fitting(windows, watch.left(), watch.floor)
    trials: list[list[int]] = []
    clocks: list[float] = []
    ending = ""
    while not ending:
        trials.append(watch.time(window.least, window.most, watch.clock() + window.length))
        if gpu_clock is not None and (frequency := gpu_clock()) is not None:
            clocks.append(frequency)
        ending = _ending(trials, windows, window, over=watch.floor * trials[-1][-1] > watch.left())
    return trials, ending, clocks


@dataclass(frozen=True)
class _Window:
    """`most` inferences, or as many as take `length` ns but at least `least`."""

    least: int
    most: int
    length: int
    shrunk: bool


def _fitting(windows: Windows, left: int, smallest: int) -> _Window:
    """Bound the window so that `min_trials` of them fit into the `left` ns."""
    share = left // windows.min_trials
    if windows.interval is None:
        return _Window(smallest, windows.size, share, shrunk=False)
    length = round(windows.interval * NS_PER_MS)
    return _Window(smallest, sys.maxsize, min(length, share), shrunk=length > share)


def _ending(trials: list[list[int]], windows: Windows, window: _Window, *, over: bool) -> str:
    """Return the stability to record, "" to go on."""
    last = trials[-windows.stabilization_windows :]
    if len(trials) >= windows.min_trials and _stable(last, windows):
        cut = windows.interval is None and any(len(each) < window.most for each in last)
        return "short" if window.shrunk or cut else "stable"
    if len(trials) >= windows.max_trials:
        return "unstable"
    return "short" if over else ""


def _stable(trials: list[list[int]], windows: Windows) -> bool:
    means = [fmean(window) for window in trials]
    mean = fmean(means)
    return all(abs(each - mean) * 100 < windows.stability_percentage * mean for each in means)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Switch off what would be timed along: trace functions, also of new threads, and the garbage collector.

    Tools of `sys.monitoring` stay: they belong to others and cannot be paused without losing their events.
    """
    tracing, profiling = sys.gettrace(), sys.getprofile()
    thread_tracing, thread_profiling = threading.gettrace(), threading.getprofile()
    collecting = gc.isenabled()
    gc.disable()
    threading.setprofile(None)
    threading.settrace(None)
    sys.setprofile(None)
    sys.settrace(None)
    try:
        yield
    finally:
        sys.settrace(tracing)
        sys.setprofile(profiling)
        threading.settrace(thread_tracing)
        threading.setprofile(thread_profiling)
        if collecting:
            gc.enable()
