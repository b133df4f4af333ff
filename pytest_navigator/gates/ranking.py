"""Whether the order of runners is within the disturbance of their measurements (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_navigator.profiling.quiet import Span

CLOSE = 0.1  # Share of time that another one may take less before it matters: so much the same runner differs by


def rivals(chosen: Span, others: Sequence[Span]) -> list[int]:
    """Return the positions of those that may be faster than what was chosen, for all that was measured.

    Of two that nothing disturbed the medians tell, however close they are. Otherwise one is a rival that may take less
    than the chosen one has shown, by more than `CLOSE`.

    Args:
        chosen, others: what a call takes, or a row of it.
    """
    return [
        i
        for i, other in enumerate(others)
        if (chosen.disturbed or other.disturbed) and other.low < (1 - CLOSE) * chosen.value
    ]


def ratio_range(before: Span, after: Span) -> tuple[float, float] | None:
    """Return between which speed-ups the true one is, where one of the two is disturbed; None: neither is.

    The upper one is infinite where nothing can be told of the new latency.
    """
    if not (before.disturbed or after.disturbed):
        return None
    most = before.high / after.low if after.low > 0 else float("inf")
    return before.low / after.high if after.high > 0 else 0.0, most
