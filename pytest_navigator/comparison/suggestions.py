"""A tolerance that would pass: Model Navigator's search, or the smallest round number where that is tighter."""

from __future__ import annotations

import math
from dataclasses import dataclass
from dataclasses import field
from typing import TYPE_CHECKING
from typing import Any

from pytest_navigator.comparison import measures
from pytest_navigator.comparison.tolerances import number

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_navigator.comparison.measures import Measure
    from pytest_navigator.comparison.measures import Spread

LARGEST_ATOL = 0.01
"""Part of the output's largest value from which on Model Navigator suggests nothing."""

LARGEST_RTOL = 0.05
"""Model Navigator accepts a pair of tolerances below this."""

NO_ROUNDING = 0.1
"""Part of the output's largest value from which on no tolerance is suggested at all: the numbers are wrong."""


@dataclass
class Suggester:
    """Collects how the differences of failed cases are spread."""

    spreads: list[Spread] = field(default_factory=list)
    unseen: float = 0.0

    def add(self, found: Measure, expected: NDArray[Any], actual: NDArray[Any], failed: bool) -> None:
        """Look at one case; closer if it failed."""
        if failed and math.isfinite(found.atol):
            self.spreads.append(measures.spread(expected, actual))
        else:
            self.unseen = max(self.unseen, found.excess)

    def text(self, atol: float, rtol: float, needed: float, largest: float, atol_alone: bool = False) -> str:
        """Return a tolerance that would pass: "atol 1e-3 and rtol 0.04", "atol 4e-3"; "" if none is sensible.

        Args:
            atol, rtol: what was used and did not suffice; what passed with it must still pass.
            needed: the smallest atol that passes, beside `rtol` or, with `atol_alone`, without.
            largest: the largest magnitude of the output.
        """
        alone = round_up(needed) if needed <= NO_ROUNDING * largest else math.inf
        pair = self._search(largest) if self.unseen <= atol else None
        if pair and max(pair[0], atol) < alone:
            return f"atol {number(max(pair[0], atol))} and rtol {number(max(pair[1], rtol))}"
        beside = "" if atol_alone or not rtol else f" and rtol {number(rtol)}"
        return f"atol {number(alone)}{beside}" if math.isfinite(alone) else ""

    def _search(self, largest: float) -> tuple[float, float] | None:
        """Model Navigator's `ToleranceParameterHelper`, for one output."""
        for step in range(measures.STEPS if self.spreads else 0):
            atol = _thousandths(max(spread.mean + step * spread.std for spread in self.spreads))
            rtol = _thousandths(max(float(spread.rtols[step]) for spread in self.spreads))
            if atol >= LARGEST_ATOL * largest:
                return None
            if rtol < LARGEST_RTOL:
                return atol, rtol
        return None


def round_up(value: float) -> float:
    """Return the smallest number with one digit that is (a little) above `value`: 4e-3 for 3.1e-3."""
    value = max(value, 1e-300)
    exponent = math.floor(math.log10(value))
    digit = math.floor(value / 10.0**exponent)
    while float(f"{digit}e{exponent}") <= value * (1 + 1e-9):
        digit += 1
    return float(f"{digit}e{exponent}")


def round_down(value: float, digits: int) -> str:
    """Return a fraction cut after `digits` digits, so that it does not look larger than it is."""
    return f"{math.floor(value * 10**digits) / 10**digits:g}"


def fraction_that_passes(name: str, value: float, least: float) -> str:
    """Return "share(0.97)": the value rounded down to three digits; "" if it is below `least`."""
    return f"{name}({round_down(value, 3)})" if value >= least else ""


def _thousandths(value: float) -> float:
    return math.ceil(value * 1000) / 1000 if value < 1e12 else value
