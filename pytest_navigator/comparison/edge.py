"""Which elements decide about a tolerance that somebody asks for later: a few of millions are enough.

An element passes numpy's isclose if `difference <= atol + rtol * magnitude`. What atol an array needs at some rtol is
the largest `difference - rtol * magnitude`: a convex function of rtol, made of straight lines, one for each element
that is the largest somewhere. The elements that are it at the rungs of a ladder of usual rtols are kept.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Point: TypeAlias = tuple[float, float]
"""Magnitude of the expected value, absolute difference: of one element."""

Octaves: TypeAlias = tuple[tuple[int, int], ...]
"""Exponent of a power of two, number of elements whose difference is below it, and not below half of it."""

# Relative tolerances that people ask for; numpy's 1e-7, torch's 1.3e-6 and 1.6e-2 among them.
LADDER = (
    *(0.0, 1e-7, 1e-6, 1.3e-6, 1e-5, 1e-4, 2e-4, 5e-4),
    *(1e-3, 2e-3, 5e-3, 1e-2, 1.6e-2, 2e-2, 5e-2, 1e-1),
)

BIAS = 1022  # Of the exponent in a float64, so that 2**exponent is above the number
BITS = 52
OCTAVES = 2048


class Edge:
    """What is kept of an output's differences: the elements that decide, and how many there are of each size."""

    def __init__(self) -> None:
        self._needed = [0.0] * len(LADDER)
        self._points: list[Point | None] = [None] * len(LADDER)
        self._octaves = np.zeros(OCTAVES, np.int64)

    @property
    def points(self) -> tuple[Point, ...]:
        """The elements that decide, each once, by the rung at which they begin to."""
        return tuple(dict.fromkeys(point for point in self._points if point is not None))

    @property
    def octaves(self) -> Octaves:
        """Exponent of the smallest power of two above their difference, and number of such elements; none of 0."""
        return tuple((int(i) - BIAS, int(self._octaves[i])) for i in np.flatnonzero(self._octaves))

    def add(self, difference: Floats, magnitude: Floats, relative: float) -> None:
        """Add a block of elements; an infinite difference, which no tolerance allows, decides nothing.

        Args:
            relative: the largest relative difference of the block.
        """
        if not np.isfinite(worst := float(difference.max())):
            finite = np.isfinite(difference)
            difference, magnitude = difference[finite], magnitude[finite]
            worst = float(difference.max(initial=0.0))
        if worst > 0:
            self._count(difference)
            self._decide(difference, magnitude, worst, relative)

    def _count(self, difference: Floats) -> None:
        bits = np.ascontiguousarray(difference).view(np.int64) >> BITS
        found: NDArray[np.intp] = np.bincount(bits, minlength=OCTAVES)
        found[0] -= np.count_nonzero(difference == 0)
        self._octaves += found

    def _decide(self, difference: Floats, magnitude: Floats, worst: float, relative: float) -> None:
        for rung, rtol in enumerate(LADDER):
            if rtol > relative:
                return  # from here on no element needs any atol
            if worst < self._needed[rung]:
                continue
            if rtol:
                # An element that is too large decides nothing at this rung, nor at any further one.
                small = magnitude <= worst / rtol
                if 2 * np.count_nonzero(small) < small.size:
                    difference, magnitude = difference[small], magnitude[small]
            if not difference.size:
                return
            left = difference - rtol * magnitude
            at = int(left.argmax())
            if left[at] >= self._needed[rung] and left[at] > 0:
                self._keep(rung, float(left[at]), (float(magnitude[at]), float(difference[at])))

    def _keep(self, rung: int, left: float, point: Point) -> None:
        """Keep an element; of equals the smallest, so that the record is the same in whatever order they come."""
        known = self._points[rung]
        if known is None or left > self._needed[rung] or point < known:
            self._needed[rung], self._points[rung] = left, point


def needed(points: Sequence[Point], rtol: float) -> tuple[float, float]:
    """Return the least atol and the largest one that an output may need at an rtol; both are 0 where rtol is enough.

    Args:
        points: of an `Edge`, at least one.
    """
    least = _line(points, rtol)
    above = bisect_left(LADDER, rtol)
    if above == len(LADDER):
        return least, _line(points, LADDER[-1])
    below, beyond = LADDER[max(0, above - 1)], LADDER[above]
    # Where no element needs any atol none is kept: one that is at no rung the largest may be it before that.
    whole = _line(points, beyond) > 0 and _decides(points, below) == _decides(points, beyond)
    if beyond == rtol or whole:
        return least, least
    share = (rtol - below) / (beyond - below)
    return least, max(least, (1 - share) * _line(points, below) + share * _line(points, beyond))


def _line(points: Sequence[Point], rtol: float) -> float:
    return max(0.0, *(difference - rtol * magnitude for magnitude, difference in points))


def _decides(points: Sequence[Point], rtol: float) -> Point:
    return max(points, key=lambda point: point[1] - rtol * point[0])


def outside(octaves: Octaves, atol: float) -> tuple[int, int]:
    """Return how many elements differ by more than this, at least and at most."""
    least = sum(count for exponent, count in octaves if 2.0 ** (exponent - 1) > atol)
    most = sum(count for exponent, count in octaves if 2.0**exponent > atol)
    return least, most
