"""Rankings of disturbed figures: nobody is crowned whom the quietest calls do not bear out; what is open is said."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from pytest_navigator.gates.ranking import CLOSE, ratio_range, rivals
from pytest_navigator.profiling.quiet import Span

LATENCY = st.floats(1e-3, 1e4)
SHARE = st.floats(0, 1)


@st.composite
def spans(draw: st.DrawFn) -> tuple[Span, float]:
    """A span, and what the call takes in truth, which is in it."""
    low, high = sorted((draw(LATENCY), draw(LATENCY)))
    disturbed = draw(st.booleans())
    value = high if disturbed else (low + high) / 2
    return Span(value, low, high, disturbed), low + draw(SHARE) * (high - low)


@given(st.lists(spans(), min_size=2, max_size=6))
def test_the_best_that_was_seen_is_the_best_or_the_better_one_is_named(found: list[tuple[Span, float]]) -> None:
    chosen = min(range(len(found)), key=lambda i: found[i][0].value)
    others = [each for i, each in enumerate(found) if i != chosen]
    named = rivals(found[chosen][0], [span for span, _ in others])

    for i, (span, true) in enumerate(others):
        if (span.disturbed or found[chosen][0].disturbed) and true < (1 - CLOSE) * found[chosen][0].value:
            assert i in named


@given(spans(), spans())
def test_medians_that_nothing_disturbed_have_an_order(first: tuple[Span, float], second: tuple[Span, float]) -> None:
    quiet = [span._replace(disturbed=False) for span, _ in (first, second)]
    assert rivals(quiet[0], quiet[1:]) == []
    assert ratio_range(*quiet) is None


@given(spans(), spans())
def test_the_true_speed_up_is_in_the_range(first: tuple[Span, float], second: tuple[Span, float]) -> None:
    limits = ratio_range(first[0], second[0])
    if limits is not None:
        assert limits[0] * (1 - 1e-9) <= first[1] / second[1] <= limits[1] * (1 + 1e-9)


def test_of_what_nothing_can_be_told_no_speed_up_is_excluded() -> None:
    assert ratio_range(Span(2.0, 2.0, 2.0), Span(560.0, 0.0, 560.0, disturbed=True)) == (2.0 / 560.0, math.inf)
