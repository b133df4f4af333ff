"""The tolerances of `nav_expected.toml`: written with room, in round numbers, and never rewritten by noise."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_navigator.core.expected import ExpectedLine
from pytest_navigator.gates.expected_changes import NOISE, ROOM, allowed, rounded, tightened

MEASURED = st.floats(1e-30, 1e30, allow_nan=False)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.0, 0.0),
        (1e-6, 1e-6),
        (9.6e-7, 1e-6),
        (1.01e-6, 2e-6),
        (2e-5, 2e-5),
        (2.1e-5, 5e-5),
        (5.1, 10.0),
        (0.05, 0.05),
    ],
)
def test_it_is_rounded_up_to_one_two_or_five(value: float, expected: float) -> None:
    assert rounded(value) == expected


@given(MEASURED)
def test_it_is_never_below_and_less_than_two_and_a_half_times_as_large(value: float) -> None:
    found = rounded(value)

    assert value * (1 - 1e-8) <= found <= value * 2.5 * (1 + 1e-8)
    assert f"{found:.0e}"[0] in "125"
    assert rounded(found) == found


@given(MEASURED, st.floats(0.5, 2.0))
def test_noise_does_not_rewrite_what_was_written(measured: float, noise: float) -> None:
    line = ExpectedLine(("pass",), {"y": allowed(measured)})

    assert tightened(line, {"y": measured * noise}) is None


@given(MEASURED, MEASURED)
def test_what_has_been_tightened_stays(measured: float, stands: float) -> None:
    line = ExpectedLine(("pass",), {"y": stands})
    new = tightened(line, {"y": measured})

    assert (new is not None) == (ROOM * measured < stands / NOISE)
    if new is not None:
        assert new.atol["y"] < stands
        assert tightened(new, {"y": measured}) is None


@pytest.mark.parametrize("measured", [{}, {"y": 0.0}, {"z": 1e-9}], ids=["nothing", "equal", "another output"])
def test_an_output_that_is_equal_or_was_not_measured_keeps_its_tolerance(measured: dict[str, float]) -> None:
    assert tightened(ExpectedLine(("pass",), {"y": 1.0}), measured) is None


def test_each_output_is_tightened_for_itself() -> None:
    line = ExpectedLine(("pass",), {"y": 1.0, "z": 1e-3}, "", "cuda")

    assert tightened(line, {"y": 1e-4, "z": 2e-4}) == ExpectedLine(("pass",), {"y": 5e-4, "z": 1e-3}, "", "cuda")
