"""One output whose slices along some axes have a scale each: boxes in pixels beside scores from 0 to 1."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_navigator.comparison.tolerances import axes_text, scaled_call
from pytest_navigator.comparison.verdicts import Tally, relative

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_navigator.comparison.tolerances import Rule
    from pytest_navigator.comparison.verdicts import Place
    from pytest_navigator.core.records import OutputReport

    Array = NDArray[Any]

MOST = 4096  # Slices of one output: each is judged by itself, which takes time and memory


@dataclass
class Slices:
    """What is known of the slices of one output so far: those of one index belong together, over all cases.

    Attributes:
        whole: knows the output's shape, type and measured differences.
        parts: index along the axes -> its slice.
    """

    name: str
    rule: Rule
    whole: Tally = field(init=False)
    parts: dict[tuple[int, ...], Tally] = field(default_factory=dict)
    tied: bool = True

    def __post_init__(self) -> None:
        self.whole = Tally(self.name, self.rule)

    @property
    def mismatched(self) -> int:
        """Elements that are told at once to break the rule: none."""
        return 0

    def add(self, place: Place, expected: Array | None, actual: Array | None) -> None:
        """Add one case; None where this output is missing."""
        self.whole.add(place, expected, actual)
        if expected is None or actual is None or np.shape(expected) != np.shape(actual):
            return
        sizes = [expected.shape[axis] for axis in self.rule.axis]
        if prod(sizes) > MOST:
            call = scaled_call(self.rule.axis, self.rule.rtol)
            self.whole.break_off(place, f"{call} makes {prod(sizes)} slices of it, at most {MOST} are judged")
            return
        # An axis may be longer in a later sample: its slices are added then.
        for index in np.ndindex(*sizes):
            if index not in self.parts:
                self.parts[index] = Tally(self.name, self.rule, edge=None, locate=partial(self._full, index))
            at = self._at(expected.ndim, index)
            self.parts[index].add(place, expected[at], actual[at])

    def report(self) -> OutputReport:
        """Judge all slices; the one that is furthest outside is told."""
        whole = self.whole.report()
        if self.whole.broken or not self.whole.compared:
            return whole
        judged = {index: part.report() for index, part in self.parts.items()}
        failed = {index: report for index, report in judged.items() if report.problem}
        if not failed:
            atol = max(part.allowed[0] for part in self.parts.values())
            passed = replace(whole, used=self.rule.text, mismatched=0, problem="", suggestion="")
            return replace(passed, allowed_atol=atol, allowed_rtol=self.rule.rtol)
        worst = max(failed, key=lambda index: self._excess(self.parts[index]))
        told, axes, others = failed[worst], axes_text(self.rule.axis), len(failed) - 1
        more = f"; and {others} more slice{'s' if others > 1 else ''}" if others else ""
        return replace(
            told,
            atol=whole.atol,
            rtol=whole.rtol,
            mismatched=sum(report.mismatched for report in failed.values()),
            total=whole.total,
            largest=whole.largest,
            edge=whole.edge,
            octaves=whole.octaves,
            problem=f"slice {','.join(map(str, worst))} of {axes}: {told.problem}{more}",
            suggestion=self._suggestion(failed),
        )

    def _suggestion(self, failed: dict[tuple[int, ...], OutputReport]) -> str:
        """Return what passes for all slices, if it is known of each."""
        if not all(report.suggestion for report in failed.values()):
            return ""
        return relative(max((self.parts[index] for index in failed), key=self._excess))

    def _excess(self, part: Tally) -> float:
        return part.excess / part.scale

    def _at(self, ndim: int, index: tuple[int, ...]) -> tuple[int | slice, ...]:
        chosen: dict[int, int] = dict(zip(self.rule.axis, index, strict=True))
        return tuple(chosen.get(axis, slice(None)) for axis in range(ndim))

    def _full(self, index: tuple[int, ...], inside: tuple[int, ...]) -> tuple[int, ...]:
        """Return the place in the output of a place in a slice."""
        full = list(inside)
        for axis, position in zip(self.rule.axis, index, strict=True):  # in ascending order
            full.insert(axis, position)
        return tuple(full)
