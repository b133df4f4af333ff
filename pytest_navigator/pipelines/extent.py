"""How far the calls of one structure go: which sizes and numbers they have had, and whether a call shows more."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_navigator.pipelines.structures import arrays, numbers

if TYPE_CHECKING:
    from pytest_navigator.samples.structure import Call


End = tuple[str, str]
"""Place of a number, and "least" or "most"."""


@dataclass
class Extent:
    """What was seen so far.

    Attributes:
        sizes: (number of an array, axis) -> the smallest and the largest size.
        values: place of a number -> the first two values of it: it varies if there are two.
        numbers: place of a number -> the least and the most of it.
    """

    sizes: dict[tuple[int, int], tuple[int, int]] = field(default_factory=dict)
    values: dict[str, set[str]] = field(default_factory=dict)
    numbers: dict[str, tuple[float, float]] = field(default_factory=dict)

    def grows(self, call: Call) -> bool:
        """Take a call in; returns whether it shows a size beyond those before, or that a number varies."""
        found = [self._grows(key, size) for key, size in _sizes(call)]
        return any([*found, *(self._varies(place, repr(value)) for place, value in numbers(call))])

    def ends(self, call: Call) -> list[End]:
        """Take the numbers of a call in; returns those that are the least, or the most, that there were."""
        return [end for place, value in numbers(call) for end in self._ends(place, value)]

    def _ends(self, place: str, value: float) -> list[End]:
        least, most = self.numbers.get(place, (value, value))
        self.numbers[place] = min(least, value), max(most, value)
        return [(place, end) for end, beyond in (("least", value < least), ("most", value > most)) if beyond]

    def _grows(self, key: tuple[int, int], size: int) -> bool:
        least, most = self.sizes.get(key, (size, size))
        self.sizes[key] = min(least, size), max(most, size)
        return not least <= size <= most

    def _varies(self, place: str, value: str) -> bool:
        known = self.values.setdefault(place, {value})
        more = len(known) == 1 and value not in known
        if more:
            known.add(value)
        return more


def _sizes(call: Call) -> list[tuple[tuple[int, int], int]]:
    found = enumerate(array for _, array in arrays(call))
    return [((number, axis), size) for number, array in found for axis, size in enumerate(array.shape)]
