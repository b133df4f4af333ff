"""How fast a pipeline and its modules in it are, with formats and without, measured in turn."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING

from pytest_navigator.pipelines.end_to_end import run_pipeline
from pytest_navigator.pipelines.timing import timed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from contextlib import AbstractContextManager

    from pytest_navigator.pipelines.end_to_end import Func
    from pytest_navigator.pipelines.registry import Wrapped
    from pytest_navigator.pipelines.samples import PipelineSample

ROUNDS = (3, 20)
"""How often a pipeline runs over its samples, at least and at most."""

SECONDS = 2.0
"""For how long, about, where that is more than the fewest rounds."""

LONGEST = 60.0
"""No further round begins after so many s."""

MOST_SAMPLES = 8
"""Of those that the pipeline was checked on, the first ones are measured."""

SLOWER = 1.05
"""The whole may be so much slower, which is noise, where each module is faster."""


@dataclass
class Pace:
    """What was measured.

    Attributes:
        whole: s of each call of the pipeline.
        modules: name of a module -> ms of each of its calls.
    """

    whole: list[float] = field(default_factory=list)
    modules: dict[str, list[float]] = field(default_factory=dict)

    @property
    def ms(self) -> float:
        """The median of the whole, ms."""
        return 1000 * median(self.whole)

    def module_ms(self, name: str) -> float | None:
        """The mean of the calls of a module, ms; None if it was not called."""
        found = sorted(self.modules.get(name, ()))
        # The slowest tenth waited for others on the machine.
        kept = found[: max(1, len(found) * 9 // 10)]
        return sum(kept) / len(kept) if kept else None


def paces(
    func: Func,
    samples: Sequence[PipelineSample],
    modules: Sequence[Wrapped],
    swapped: Callable[[], AbstractContextManager[object]],
) -> tuple[Pace, Pace]:
    """Return the pace of a pipeline as it is, and with what `swapped` swaps in."""
    eager, optimized, samples = Pace(), Pace(), samples[:MOST_SAMPLES]
    for done in range(1, ROUNDS[1] + 1):
        for pace, context in ((eager, nullcontext), (optimized, swapped)):
            with context():
                _run(func, samples, modules, pace)
        took = sum(eager.whole) + sum(optimized.whole)
        if took > LONGEST or (done >= ROUNDS[0] and took > SECONDS):
            break
    return eager, optimized


def _run(func: Func, samples: Sequence[PipelineSample], modules: Sequence[Wrapped], pace: Pace) -> None:
    with timed(modules) as times:
        pace.whole += run_pipeline(func, samples, values=False).seconds
    for name, took in times.items():
        pace.modules.setdefault(name, []).extend(took)


def not_faster(eager: Pace, optimized: Pace, names: Collection[str]) -> dict[str, str]:
    """Return the modules that formats make no faster in the pipeline, with the figures (pure).

    A format that is faster than the module alone need not be: a call in the pipeline has to find it first.
    """
    found: dict[str, str] = {}
    for name in names:
        before, after = eager.module_ms(name), optimized.module_ms(name)
        if before is not None and after is not None and after >= before:
            found[name] = f"not faster in the pipeline: {after:.3g} ms a call, eager {before:.3g} ms"
    if not found and optimized.ms > SLOWER * eager.ms:
        reason = f"the pipeline is not faster with it: {optimized.ms:.3g} ms, eager {eager.ms:.3g} ms"
        return dict.fromkeys(names, reason)
    return found
