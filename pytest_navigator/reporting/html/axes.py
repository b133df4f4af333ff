"""The axes of plots: which values they cover, where a value is on them, which values are written (pure)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from pytest_navigator.comparison.tolerances import number

if TYPE_CHECKING:
    from collections.abc import Iterable

STEPS = (1, 2, 5, 10)
TICKS = 6  # On an axis, about
SMALLEST, LARGEST = 1e-30, 1e30  # What is beyond is at an end of the axis: a package may say anything
WIDE = 10.0  # Largest by smallest value from which on an axis is logarithmic


@dataclass(frozen=True)
class Tick:
    """A value that is written beside an axis, and where."""

    at: float
    text: str


@dataclass(frozen=True)
class Axis:
    """An axis from the value `low` at pixel `start` to the value `high` at pixel `end`."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def at(self, value: float) -> float:
        """Return the pixel of a value; of one beyond the axis, that of its nearer end."""
        share = (self._place(value) - self._place(self.low)) / (self._place(self.high) - self._place(self.low))
        place = round(self.start + min(1.0, max(0.0, share)) * (self.end - self.start), 1)
        return int(place) if place.is_integer() else place  # shorter as text

    def ticks(self) -> list[Tick]:
        """Return the values that are written."""
        return [Tick(self.at(value), number(value)) for value in (self._logarithmic() if self.log else self._linear())]

    def _place(self, value: float) -> float:
        return math.log10(max(value, self.low)) if self.log else value

    def _linear(self) -> list[float]:
        step = _step((self.high - self.low) / TICKS)
        return [round(i * step, 12) for i in range(math.ceil(self.low / step), math.floor(self.high / step) + 1)]

    def _logarithmic(self) -> list[float]:
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        signs = (1, 2, 5) if last - first <= 2 else (1,)
        every = max(1, round((last - first) / TICKS))
        values = [sign * 10.0**decade for decade in range(first, last + 1, every) for sign in signs]
        return [value for value in values if self.low <= value * 1.001 and value <= self.high * 1.001]


def axis(values: Iterable[float], start: float, end: float, *, log: bool | None = None) -> Axis:
    """Return the axis of some values, from 0 or logarithmic.

    Args:
        log: None: logarithmic where the values differ much.
    """
    good = [value for value in values if SMALLEST < value < LARGEST] or [1.0]
    low, high = min(good), max(good)
    if log if log is not None else high / low > WIDE:
        return Axis(_rounded(low, up=False), _rounded(high, up=True), start, end, log=True)
    return Axis(0.0, high * 1.05, start, end)


def _rounded(value: float, *, up: bool) -> float:
    """Return the next of 1, 2 and 5 times a power of ten, which is another value."""
    decade = 10.0 ** math.floor(math.log10(value))
    marks = [step * decade for step in (0.5, *STEPS, 20)]
    return next(after if up else before for before, after in pairwise(marks) if before <= value < after * 1.0001)


def _step(least: float) -> float:
    decade = 10.0 ** math.floor(math.log10(least))
    return next(step * decade for step in STEPS if step * decade >= least * 0.999)
