"""A tolerance that would pass: Model Navigator's search, or the smallest round number where that is tighter."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_navigator.comparison import measures
from pytest_navigator.comparison.tolerances import number

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_navigator.comparison.measures import Measure, Spread

LARGEST_ATOL = 0.01  # Part of the output's largest value from which on Model Navigator suggests nothing
LARGEST_RTOL = 0.05  # Model Navigator accepts a pair of tolerances below this
MOST = 0.5  # A share of equal elements below this is none of an output with a few ties
LEAST_SNR = 6.0  # dB below which noise is half of the signal or more, and no bits explain it
LEAST_COSINE = 0.85  # That of a signal with such noise, which stands on it at right angles, is 0.89
NO_ROUNDING = 0.1  # Part of the output's largest value from which on a difference is shown beside that value


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

    def text(
        self, atol: float, rtol: float, needed: float, largest: float, explained: float, atol_alone: bool = False
    ) -> str:
        """Return a tolerance that would pass: "atol 1e-3 and rtol 1e-3", "atol 4e-3".

        Only asked of an output whose every element is as near as rounding explains.

        Args:
            atol, rtol: what was used and did not suffice; what passed with it must still pass.
            needed: the smallest atol that passes, beside `rtol` or, with `atol_alone`, without.
            largest: the largest magnitude of the output.
            explained: the largest relative error that rounding explains.
        """
        alone = round_up(needed)
        pair = self._search(largest, explained) if self.unseen <= atol else None
        if pair and max(pair[0], atol) < alone:
            return f"atol {number(max(pair[0], atol))} and rtol {number(max(pair[1], rtol))}"
        beside = "" if atol_alone or not rtol else f" and rtol {number(rtol)}"
        return f"atol {number(alone)}{beside}"

    def _search(self, largest: float, explained: float) -> tuple[float, float] | None:
        # Model Navigator's `ToleranceParameterHelper`, for one output: who comes from there finds its numbers again.
        for step in range(measures.STEPS if self.spreads else 0):
            atol = _thousandths(max(spread.mean + step * spread.std for spread in self.spreads))
            rtol = _thousandths(max(float(spread.rtols[step]) for spread in self.spreads))
            if atol >= LARGEST_ATOL * largest:
                return None
            if rtol < LARGEST_RTOL and rtol <= explained:
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
    return f"{math.floor(value * 10**digits) / 10**digits:.12g}"


def share_that_passes(equal: float) -> str:
    """Return "share(0.97)", rounded down to three digits; "" where most elements differ."""
    return f"share({round_down(equal, 3)})" if MOST <= equal < 1 else ""


def cosine_that_passes(cosine: float, explained: float) -> str:
    """Return "cosine(0.9998)", rounded down; "" for arrays that are further apart than rounding explains.

    Two vectors of one length with this cosine differ by the square root of 2 (1 - cosine) of it.
    """
    apart = 2 * (1 - cosine)
    if not 0 < apart <= explained**2:
        return ""
    return f"cosine({round_down(cosine, 1 - math.floor(math.log10(apart / 2)))})"


def decibels(value: float) -> str:
    """Return a ratio cut after one digit, so that it does not look larger than it is: "14.2"."""
    return round_down(value, 1) if math.isfinite(value) else number(value)


def snr_that_passes(snr: float, cosine: float) -> str:
    """Return "snr(14.2, cosine=0.98)", rounded down; "" for what is further off than few bits explain.

    Args:
        cosine: 0 where none is asked for.
    """
    if snr < LEAST_SNR or 0 < cosine < LEAST_COSINE or cosine < 0:
        return ""
    return f"snr({decibels(snr)}{f', cosine={round_down(cosine, 4)}' if cosine else ''})"


def _thousandths(value: float) -> float:
    return math.ceil(value * 1000) / 1000 if value < 1e12 else value
