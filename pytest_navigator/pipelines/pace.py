"""How fast a pipeline and its modules in it are, with formats and without, measured beside each other.

A format is given up for slowness only where that is beyond the noise of the machine. Both ways take turns; of each turn
the fastest calls count, without the time that they waited for a processor; and a sign test over the turns decides.
"""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import dataclass, field
from math import ceil, log
from statistics import fmean, median
from typing import TYPE_CHECKING

from pytest_navigator.gates.speed import bound
from pytest_navigator.pipelines.end_to_end import run_pipeline
from pytest_navigator.pipelines.timing import finishing, timed
from pytest_navigator.profiling.clocks import clocks
from pytest_navigator.profiling.figures import CONTENDED, milliseconds, used_by_others
from pytest_navigator.profiling.machine import Contention
from pytest_navigator.profiling.measuring import NS_PER_MS, undisturbed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from contextlib import AbstractContextManager
    from typing import Any

    from pytest_navigator.pipelines.end_to_end import Func
    from pytest_navigator.pipelines.registry import Wrapped
    from pytest_navigator.pipelines.samples import PipelineSample
    from pytest_navigator.profiling.clocks import Clock

ROUNDS = 8  # Fewer prove nothing by the sign test at 99.5 %
FEW, FAR = 3, 0.2  # So many will do where each of them says that it is slower by so much
SMALLEST = 0.02  # Share by which it must be slower, whatever the rounds bear out
BLOCK = 20.0  # ms of a turn
SLOW = 400.0  # ms of a pass from which on a turn is a single one
SECONDS, DOUBTFUL, LONGEST = 1.0, 20.0, 60.0  # At least; while it is in doubt; at most
MOST_SAMPLES = 8
"""Of those that the pipeline was checked on, the first ones are measured."""

WHOLE = ""


@dataclass(frozen=True)
class Block:
    """One turn of one way.

    Attributes:
        whole: ms of the call of the pipeline with each sample.
        modules: name of a module -> ms of each of its calls.
    """

    whole: Sequence[float]
    modules: dict[str, list[float]] = field(default_factory=dict)

    def taken(self, name: str) -> float | None:
        """The mean of the calls of a module, or of the `WHOLE`, ms; None if it was not called."""
        found = self.modules.get(name, []) if name else self.whole
        return fmean(found) if found else None


@dataclass
class Pace:
    """What was measured of a pipeline one way.

    Attributes:
        contention: share of the processors that others used meanwhile; None: nobody tells.
    """

    blocks: list[Block] = field(default_factory=list)
    contention: float | None = None

    @property
    def ms(self) -> float:
        """What a call of the pipeline takes, the median of all samples, ms."""
        return median(median(block.whole) for block in self.blocks)

    def module_ms(self, name: str) -> float | None:
        """The mean of the calls of a module, ms; None if it was not called."""
        found = [ms for block in self.blocks if (ms := block.taken(name)) is not None]
        return median(found) if found else None


def paces(
    func: Func,
    samples: Sequence[PipelineSample],
    modules: Sequence[Wrapped],
    swapped: Callable[[], AbstractContextManager[object]],
) -> tuple[Pace, Pace]:
    """Return the pace of a pipeline as it is, and with what `swapped` swaps in; in a minute at most, or one round.

    Args:
        modules: those that `swapped` gives formats.

    Raises:
        Exception: what the pipeline raises.
    """
    eager, optimized = Pace(), Pace()
    turns: list[tuple[Pace, Callable[[], AbstractContextManager[object]]]] = [
        (eager, nullcontext),
        (optimized, swapped),
    ]
    names = [module.name for module in modules]
    contention, begin = Contention(), time.monotonic()
    with clocks() as clock:
        passes = _Passes(func, list(samples[:MOST_SAMPLES]), modules, clock)
        passes.begin(swapped)
        while not _enough(eager, optimized, names, time.monotonic() - begin):
            for pace, context in turns:
                with context():
                    pace.blocks.append(passes.block())
            turns.reverse()
    eager.contention = optimized.contention = contention.share()
    return eager, optimized


@dataclass
class _Passes:
    """Runs of a pipeline over its samples; `count` of them are a turn."""

    func: Func
    samples: list[PipelineSample]
    modules: Sequence[Wrapped]
    clock: Clock
    count: int = 1

    def begin(self, swapped: Callable[[], AbstractContextManager[object]]) -> None:
        """Warm up, and leave as many samples as a minute has room for."""
        took, every = 0.0, self.samples
        kept: list[PipelineSample] = []
        for sample in every:
            self.samples = [sample]
            more = sum(self._pass().whole)
            if kept and 2 * ROUNDS * (took + more) > 1000 * LONGEST:
                break
            took += more
            kept.append(sample)
        self.samples = kept
        if took < SLOW:
            with swapped():
                self._pass()
            self.count = 1 + ceil(BLOCK / took)  # The first one finds the caches as the other way has left them.

    def block(self) -> Block:
        """Return the fastest calls of a turn."""
        found = [self._pass() for _ in range(self.count)]
        modules = {name: _fastest([each.modules[name] for each in found]) for name in found[0].modules}
        return Block(_fastest([each.whole for each in found]), modules)

    def _pass(self) -> Block:
        whole: list[float] = []
        finish = finishing(*(each.module for each in self.modules))

        def clocked(*args: Any, **kwargs: Any) -> Any:
            begin = self.clock.now()
            value = self.func(*args, **kwargs)
            finish()
            whole.append(self.clock.since(begin)[0] / NS_PER_MS)
            return value

        with timed(self.modules, self.clock) as times, undisturbed():
            found = run_pipeline(clocked, self.samples, values=False)
        if found.error is not None:
            raise found.error
        return Block(whole, times)


def _fastest(passes: Sequence[Sequence[float]]) -> list[float]:
    """Return the fastest of each call; of passes with different calls, those of the fastest pass."""
    if len({len(each) for each in passes}) == 1:
        return [min(own) for own in zip(*passes, strict=True)]
    return list(min(filter(None, passes), key=fmean))


def _enough(eager: Pace, optimized: Pace, names: Sequence[str], seconds: float) -> bool:
    """Whether no further round begins: it would change nothing, or there is no time for it."""
    done = len(eager.blocks)
    if done and seconds * (1 + 1 / done) > LONGEST:
        return True
    if done < FEW or seconds < SECONDS:
        return False
    found = [_ratios(eager, optimized, name) for name in (WHOLE, *names)]
    if all(not own or max(own) <= 0 or min(own) > log(1 + FAR) for own in found):
        return True
    return done >= ROUNDS and (seconds > DOUBTFUL or not any(_in_doubt(own) for own in found))


def _ratios(eager: Pace, optimized: Pace, name: str) -> list[float]:
    """Return for each round the logarithm of what a format takes over what the module itself does."""
    taken = [(a.taken(name), b.taken(name)) for a, b in zip(eager.blocks, optimized.blocks, strict=True)]
    return [log(after / before) for before, after in taken if before and after]


def _slower(ratios: Sequence[float]) -> bool:
    """Whether the rounds bear out that it is slower."""
    if len(ratios) < ROUNDS:
        return len(ratios) >= FEW and min(ratios) > log(1 + FAR)
    return bound(ratios, 1) > log(1 + SMALLEST)


def _in_doubt(ratios: Sequence[float]) -> bool:
    """Whether it may be slower, which the rounds do not bear out."""
    return bool(ratios) and median(ratios) > log(1 + SMALLEST) and not _slower(ratios)


def not_faster(eager: Pace, optimized: Pace, names: Collection[str]) -> dict[str, str]:
    """Return the modules that formats make slower in the pipeline, with the figures (pure).

    A format that is faster than the module alone need not be: a call in the pipeline has to find it first.
    """
    found = {
        name: f"not faster in the pipeline: {_both(eager, optimized, name)}"
        for name in names
        if _slower(_ratios(eager, optimized, name))
    }
    if not found and _slower(_ratios(eager, optimized, WHOLE)):
        return dict.fromkeys(names, f"the pipeline is not faster with it: {_both(eager, optimized, WHOLE)}")
    return found


def doubts(eager: Pace, optimized: Pace, names: Collection[str]) -> dict[str, str]:
    """Return the modules that may be slower with their formats, which noise hides: what their choice says (pure)."""
    return {
        name: f"in the pipeline {_both(eager, optimized, name)}, but {_why(optimized)}"
        for name in names
        if _in_doubt(_ratios(eager, optimized, name))
    }


def caveat(eager: Pace, optimized: Pace) -> str:
    """Return what a reader of the figures of the whole must know; "" for nothing (pure)."""
    if _in_doubt(_ratios(eager, optimized, WHOLE)):
        return f"that it is slower with the formats is not borne out: {_why(optimized)}"
    busy = optimized.contention is not None and optimized.contention >= CONTENDED
    return used_by_others(optimized.contention) if busy and optimized.contention is not None else ""


def _why(pace: Pace) -> str:
    """Return what keeps the rounds from telling."""
    if len(pace.blocks) < ROUNDS:
        return f"there was time for {len(pace.blocks)} of {ROUNDS} comparisons"
    share = pace.contention
    more = f", {used_by_others(share)}" if share is not None and share >= CONTENDED else ""
    return f"its {len(pace.blocks)} comparisons differ: the machine was busy{more}"


def _both(eager: Pace, optimized: Pace, name: str) -> str:
    after, before = (pace.module_ms(name) if name else pace.ms for pace in (optimized, eager))
    assert before is not None
    assert after is not None
    return f"{milliseconds(after, 0)} ms{' a call' if name else ''}, eager {milliseconds(before, 0)} ms"
