"""Whatever a record says of another tolerance is what numpy says of the arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from pytest_navigator.comparison.correctness import Comparison
from pytest_navigator.comparison.edge import LADDER, Edge, needed, outside
from pytest_navigator.comparison.tolerances import Rule
from pytest_navigator.core.plain import plain, structured
from pytest_navigator.core.records import OutputReport
from pytest_navigator.gates.tolerance import Word, bounds, close

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

RULES = (Rule("close", atol=1e-3), Rule("scaled", atol=1e-6, rtol=1e-4, note="fp32"), Rule("cosine", minimum=0.9))

NUMBERS = st.floats(-1e6, 1e6, allow_subnormal=False).filter(lambda value: value == 0 or abs(value) > 1e-30)
ODD = NUMBERS | st.sampled_from([np.nan, np.inf, -np.inf, 0.0, 1.0])
TOLERANCES = st.sampled_from([*LADDER, 1e-3, 0.5]) | st.floats(0, 10, allow_subnormal=False)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Floats, Floats]:
    expected = draw(npst.arrays(np.float64, st.integers(1, 12), elements=ODD))
    near = draw(npst.arrays(np.float64, expected.shape, elements=st.floats(-1e-2, 1e-2, allow_subnormal=False)))
    far = draw(npst.arrays(np.float64, expected.shape, elements=ODD))
    which = draw(npst.arrays(np.int8, expected.shape, elements=st.integers(0, 3)))
    with np.errstate(all="ignore"):
        actual = np.select(
            [which == 0, which == 1, which == 2], [expected, expected * (1 + near), expected + near], far
        )
    return expected, actual


def reported(rule: Rule, *cases: tuple[Floats, Floats]) -> OutputReport:
    """Return the record of a comparison, as it comes back from a file."""
    comparison = Comparison({"y": rule})
    for sample, (expected, actual) in enumerate(cases):
        comparison.add(sample, "batch", {"y": expected}, {"y": actual})
    (report,) = comparison.reports()
    return structured(plain(report), OutputReport)


def agrees(cases: list[tuple[Floats, Floats]], atol: float, rtol: float) -> bool:
    with np.errstate(all="ignore"):
        return all(np.isclose(a, e, rtol=rtol, atol=atol, equal_nan=True).all() for e, a in cases)


@given(st.lists(pairs(), min_size=1, max_size=3), TOLERANCES, TOLERANCES, st.sampled_from(RULES))
def test_a_verdict_is_numpys(cases: list[tuple[Floats, Floats]], atol: float, rtol: float, rule: Rule) -> None:
    found = close(reported(rule, *cases), atol, rtol).word
    if found is not Word.UNKNOWN:
        assert (found is Word.PASSES) == agrees(cases, atol, rtol)


@given(st.lists(pairs(), min_size=1, max_size=3), TOLERANCES, TOLERANCES)
def test_so_is_that_of_a_record_without_what_decides(
    cases: list[tuple[Floats, Floats]], atol: float, rtol: float
) -> None:
    record = reported(RULES[0], *cases)
    found = close(OutputReport("y", record.atol, record.rtol), atol, rtol).word
    if found is not Word.UNKNOWN:
        assert (found is Word.PASSES) == agrees(cases, atol, rtol)


@given(pairs(), TOLERANCES)
def test_without_an_rtol_there_is_always_a_verdict(pair: tuple[Floats, Floats], atol: float) -> None:
    assert close(reported(RULES[0], pair), atol, 0.0).word is not Word.UNKNOWN


@given(pairs(), st.sampled_from(LADDER), st.floats(0, 3))
def test_on_the_ladder_nothing_but_rounding_is_unknown(pair: tuple[Floats, Floats], rtol: float, factor: float) -> None:
    record = reported(RULES[0], pair)
    least, most = bounds(record, rtol)
    if np.isfinite(record.atol):
        assert least == most
    if abs(factor - 1) > 1e-6:
        assert close(record, factor * least + 1e-12 * (factor > 1) * (1 + record.atol), rtol).word is not Word.UNKNOWN


@given(st.lists(st.tuples(st.floats(0, 1e3), st.floats(1e-9, 1.0)), min_size=1, max_size=40), st.floats(0, 0.2))
@example([(125.0, 0.25), (510.0, 1.0)], 0.001953125)  # at 2e-3 neither needs any
def test_what_is_needed_lies_between_the_bounds(elements: list[tuple[float, float]], rtol: float) -> None:
    magnitude, difference = (np.array(column) for column in zip(*elements, strict=True))
    edge = Edge()
    with np.errstate(all="ignore"):
        edge.add(difference, magnitude, float(np.max(difference / magnitude)))
    exact = max(0.0, float(np.max(difference - rtol * magnitude)))
    least, most = needed(edge.points, rtol)
    assert least <= exact + 1e-12
    assert exact <= most + 1e-12


@pytest.mark.parametrize("rtol", [0.0, 1e-7, 1.3e-6, 1e-5, 1e-3, 1.6e-2, 3e-5, 7e-3])
def test_of_many_elements_a_few_are_kept_and_they_decide(rtol: float) -> None:
    generator = np.random.default_rng(3)
    expected = generator.standard_normal(300_000) * 10.0 ** generator.integers(-6, 4, 300_000)
    actual = expected * (1 + 1e-3 * generator.standard_normal(300_000)) + 1e-6 * generator.standard_normal(300_000)
    record = reported(RULES[0], (expected, actual))
    assert len(record.edge) <= len(LADDER)
    assert len(str(plain(record))) < 2500
    exact = float(np.max(np.abs(actual - expected) - rtol * np.abs(expected)))
    least, most = bounds(record, rtol)
    assert least <= exact * (1 + 1e-12)
    assert exact <= most * (1 + 1e-12)
    assert least == most or rtol not in LADDER


def test_the_share_outside_is_told_within_a_factor_of_two() -> None:
    differences = np.array([0.0, 1e-3, 0.1, 0.3, 0.6, 0.9, 2.0, 2.0])
    record = reported(RULES[0], (np.zeros(8), differences))
    assert sum(count for _, count in record.octaves) == 7
    assert outside(record.octaves, 0.55) == (2, 4)
    assert close(record, 0.55, 0.0).text == ("max abs 2 (sample 0, [6]) > atol 0.55; 25 % to 50 % of elements")


@example(np.array([1.0]), np.array([np.nan]))
@given(npst.arrays(np.float64, 3, elements=NUMBERS), npst.arrays(np.float64, 2, elements=NUMBERS))
def test_another_shape_or_nan_fails_whatever_the_tolerance_is(expected: Floats, actual: Floats) -> None:
    record = reported(RULES[0], (expected, actual))
    assert record.broken
    assert close(record, 1e300, 1.0).word is Word.FAILS
