"""What a measurement says to people: what they must know of it, how many of its digits mean something (pure)."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_navigator.core.records import ProfileResult

CONTENDED = 0.2  # Share of the processors, used by others, from which on a figure bears a caveat
WAITED = 0.2  # Share of waiting from which on a measurement is disturbed; an idle machine has 0.01

FEWEST, MOST = 2, 4  # Digits of a figure
OFF = 0.005  # Spread of a figure of which nobody knows it: it has three digits

MARK = "*"  # Of figures that a reader must know more of

P90 = 1.28  # Standard deviations between the median and the 90th percentile of what is normally distributed
MEDIAN = 1.25  # The standard error of a median, in those of a mean


def caveat(result: ProfileResult) -> str:
    """Return what a reader of the figures must know, one line; "" when there is nothing."""
    means = ", ".join(f"{mean:.3g}" for mean in result.window_means)
    count = result.request_count
    notes = {
        "unstable": f"unstable: the means of the last windows are {means} ms",
        "short": f"short: the time limit left room for {count} inference{'' if count == 1 else 's'}",
    }
    lines = [notes[result.stability]] if result.stability in notes else []
    if result.waited is not None and result.waited >= WAITED:
        lines.append(f"its threads waited for processors {100 * result.waited:.0f} % of the time")
    if result.contention is not None and result.contention >= CONTENDED:
        lines.append(used_by_others(result.contention))
    elif (
        not lines and result.windows and result.contention is None and result.waited is None
    ):  # Model Navigator's results have no windows
        lines.append("too short to tell whether others used the processors")
    return "; ".join(lines)


def used_by_others(share: float) -> str:
    """Return who else had the processors, 0.0 to 1.0."""
    return f"measured while others used {100 * share:.0f} % of the processors"


def spread(result: ProfileResult) -> float:
    """Return by what share the p50 latency may be another one: its standard error, or what the windows differ by."""
    if not result.p50_latency > 0:
        return 0.0
    deviation = max(0.0, result.p90_latency - result.p50_latency) / P90
    error = MEDIAN * deviation / math.sqrt(max(1, result.request_count))
    means = result.window_means or (0.0,)
    return max(error, (max(means) - min(means)) / 2) / result.p50_latency


def rounded(value: float, spread: float) -> str:
    """Return a figure with the digits that its spread leaves a meaning: 0.53 where it is off by 5 %, never 5e+04.

    Half a unit of the last digit is no more than the figure may be off, as far as 2 to 4 digits allow.

    Args:
        spread: 0 where nobody knows it.
    """
    if not math.isfinite(value):
        return str(value)
    if not 0 < spread < math.inf:
        return format(Decimal(f"{value:.{MOST}g}"), "f")
    digits = min(MOST, max(FEWEST, _order(value) - _order(2 * min(max(spread, 1e-9), 1.0) * value) + 1))
    return format(Decimal(f"{value:.{digits - 1}e}"), "f")


def milliseconds(value: float, spread: float, *, marked: bool = False) -> str:
    """Return a figure of a table, with `MARK` where a reader must know more of it.

    Args:
        spread: 0 where nobody knows it.
    """
    return f"{rounded(value, spread or OFF)}{MARK if marked else ''}"


def caveats(told: Sequence[str]) -> list[str]:
    """Return what the rows of a table have told of their marked figures as one note, or none."""
    if not told:
        return []
    rows = "a row has a caveat" if len(told) == 1 else f"{len(told)} rows have a caveat"
    return [f"{rows} ({MARK} above), for example {told[0]}"]


def times(old: float, new: float) -> str:
    """Return how many times faster the new latency is: "3.64x"."""
    return f"{rounded(old / new, OFF)}x"


def _order(value: float) -> int:
    return math.floor(math.log10(abs(value))) if value else 0


def rate(latency: float, batch_size: int | None) -> float:
    """Return the throughput (infer/s) of a runner that always takes this latency (ms)."""
    return 1000 * (batch_size or 1) / latency
