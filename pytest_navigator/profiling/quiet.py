"""What of a measurement still counts on a busy machine: its quietest calls, and what it may really take (pure).

What others do makes a call slower, never faster. So the fastest few consecutive calls are an upper bound of what it
takes undisturbed. The lower bound is the fastest call of all, divided by the threads that were at work where these had
to wait: in the quietest calls only one of them may have had a processor. Of ONNX Runtime with two threads beside four
busy loops the quietest calls took 0.081 ms in one run and 0.147 in the next; the median of torch was 560 ms of 0.28.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pytest_navigator.profiling.figures import CONTENDED, WAITED, spread

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_navigator.core.records import ProfileResult

RUN = 5  # Consecutive calls whose median is a quiet figure: one call alone could be a slip of the clock
HOPELESS = 0.5  # From which on calls of `SLICE` and more tell nothing of what several threads would take
SLICE = 10.0  # ms; a call that takes longer does not fit between two turns of others


class Span(NamedTuple):
    """What a call takes undisturbed.

    Attributes:
        value: what runners are ranked by: the median, of a disturbed measurement that of the quietest calls.
        low: what it takes at least, 0.0 where nothing can be told; high: at most. All in ms.
        disturbed: whether others, or too many threads of one's own, had the processors.
        quiet: what its quietest calls took; None: not recorded.
    """

    value: float
    low: float
    high: float
    disturbed: bool = False
    quiet: float | None = None

    def scaled(self, factor: float) -> Span:
        """Return it in another unit: ms a row."""
        quiet = None if self.quiet is None else self.quiet * factor
        return Span(self.value * factor, self.low * factor, self.high * factor, self.disturbed, quiet)

    def by_quiet(self) -> Span:
        """Return it with the quietest calls as its value."""
        return self if self.quiet is None else self._replace(value=min(self.value, self.quiet))


def alike(spans: Sequence[Span]) -> list[Span]:
    """Return spans as they are compared with each other: where one is disturbed, all by their quietest calls.

    The quietest calls of one are no match for the median of another.
    """
    return [each.by_quiet() for each in spans] if any(each.disturbed for each in spans) else list(spans)


def quietest(stretches: Iterable[Sequence[float]]) -> float:
    """Return the lowest median of `RUN` consecutive calls; of shorter stretches the median of all of them."""
    import numpy as np

    kept = [np.asarray(each, dtype=np.float64) for each in stretches if len(each)]
    long = [each for each in kept if len(each) >= RUN]
    if not long:
        return float(np.median(np.concatenate(kept)))
    views = (np.lib.stride_tricks.sliding_window_view(each, RUN) for each in long)
    return min(float(np.median(view, axis=1).min()) for view in views)


def span(result: ProfileResult) -> Span:
    """Return what the call of a measurement takes undisturbed, by all that is recorded of it."""
    median, off = result.p50_latency, spread(result)
    quiet = min((each for each in (result.quiet, result.fastest.get("p50")) if each), default=None)
    seen = median if quiet is None else min(median, quiet)
    if not is_disturbed(result):
        return Span(median, min(median * max(0.0, 1 - off), seen), median * (1 + off), quiet=quiet)
    return Span(seen, min(seen, _least(result, seen)), seen, disturbed=True, quiet=quiet)


def is_disturbed(result: ProfileResult) -> bool:
    """Whether its median says more of the machine than of the runner."""
    shares = ((result.waited, WAITED), (result.contention, CONTENDED))
    return result.stability == "unstable" or any(share is not None and share >= least for share, least in shares)


def _least(result: ProfileResult, value: float) -> float:
    """Return what a call takes at least."""
    floors = [result.floor, *result.quartiles[:1]]
    floor = min((each for each in floors if each is not None), default=value)
    if result.waited is None:  # an older package, or another system: nobody knows the threads either
        return floor / 2
    if result.waited < WAITED:
        return floor
    if result.waited >= HOPELESS and result.threads > 1 and floor > SLICE:
        return 0.0
    alone = 1 - result.waited if floor > SLICE else 1.0
    return floor * alone / max(1, result.threads)
