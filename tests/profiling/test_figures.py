"""How figures are written: the digits that their spread supports, and no more."""

from __future__ import annotations

from decimal import Decimal
from math import log10

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_navigator.profiling.figures import rounded, spread
from pytest_navigator.profiling.measuring import summary

MS = 1_000_000


@pytest.mark.parametrize(
    ("value", "share", "text"),
    [
        (0.52987, 0.05, "0.53"),
        (0.52987, 0.01, "0.53"),
        (0.52987, 0.005, "0.530"),
        (0.125, 0.03125, "0.125"),
        (0.52987, 0.0005, "0.5299"),
        (0.52987, 1e308, "0.53"),
        (0.0, 0.5, "0.0"),
        (0.52987, 1e-9, "0.5299"),
        (0.52987, 0.9, "0.53"),
        (0.52987, 0.0, "0.5299"),
        (52987.3, 0.05, "53000"),
        (52987.3, 0.0, "52990"),
        (1.0, 0.05, "1.0"),
        (1.0, 0.0, "1"),
        (3.7e-3, 0.02, "0.0037"),
        (float("inf"), 0.1, "inf"),
    ],
)
def test_digits_follow_the_spread(value: float, share: float, text: str) -> None:
    assert rounded(value, share) == text


@given(st.floats(1e-6, 1e9), st.floats(0, max_value=1e308))
def test_a_figure_is_rounded_by_no_more_than_it_may_be_off(value: float, share: float) -> None:
    text = rounded(value, share)

    assert "e" not in text
    digits = len(Decimal(text).as_tuple().digits)
    assert abs(float(text) - value) <= max(share, 5e-4) * value * 1.001
    assert digits <= 4 or float(text) >= 1000 or share == 0


@given(st.integers(2, 500), st.integers(1, 50))
def test_more_inferences_of_one_spread_give_more_digits(count: int, more: int) -> None:
    few = summary([[MS, 2 * MS] * count], 1)
    many = summary([[MS, 2 * MS] * count * (more + 1)], 1)

    assert spread(many) < spread(few)


def test_windows_that_differ_are_a_spread_of_their_own() -> None:
    steady, drifting = summary([[MS] * 50] * 3, 1), summary([[MS] * 50, [MS] * 50, [2 * MS] * 50], 1)

    assert spread(steady) == 0
    assert log10(spread(drifting)) == pytest.approx(log10(0.5))
