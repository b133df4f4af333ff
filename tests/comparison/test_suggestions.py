"""What a failure suggests: never what would make a wrong result pass."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_navigator.comparison import measures
from pytest_navigator.comparison.computed import Computed
from pytest_navigator.comparison.correctness import Comparison, failure_line
from pytest_navigator.comparison.measures import Measure, Spread
from pytest_navigator.comparison.suggestions import (
    Suggester,
    cosine_that_passes,
    round_down,
    round_up,
    share_that_passes,
)
from pytest_navigator.comparison.tolerances import cosine, resolve, share
from pytest_navigator.core.records import TensorSpec

DRAWN = np.random.default_rng(0)
SCORES = DRAWN.standard_normal((40, 10)).astype(np.float32)


def reports(expected, actual, computed=None, **asked):
    specs = [TensorSpec(name, array.shape, array.dtype.name) for name, array in expected.items()]
    known = dict.fromkeys(expected, computed) if computed else None
    rules = resolve(specs, variant_key="onnx", format_name="onnx", computed=known, **asked)
    comparison = Comparison(rules)
    comparison.add(0, "batch", expected, actual)
    return {report.name: report for report in comparison.reports()}


def suggested(expected, actual, **asked):
    return reports({"y": expected}, {"y": actual}, **asked)["y"].suggestion


def tie():
    """Return scores of which one row has two that are almost equal, and the ids of the best."""
    scores = SCORES.copy()
    scores[3, 6], scores[3, 2] = 9, 9 - np.float32(1e-5)
    return scores, scores.argmax(1)


# Shares


def test_what_was_computed_gets_no_share():
    divided = DRAWN.integers(0, 100, 1000)
    off_by_one = divided + (DRAWN.random(1000) < 0.3)
    assert suggested(divided, off_by_one) == ""
    assert suggested(divided, off_by_one, comparisons={"y": share(0.99)}) == ""
    assert suggested(divided > 50, off_by_one > 50) == ""


def test_ids_alone_get_no_share():
    ids = DRAWN.integers(0, 10, 100)
    other = ids.copy()
    other[7] += 1
    assert suggested(ids, other) == ""


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8"])
def test_a_tie_of_the_models_own_scores_gets_a_share(dtype):
    scores, ids = tie()
    other = ids.copy()
    other[3] = 2
    pair = {"ids": ids.astype(dtype), "scores": scores}, {"ids": other.astype(dtype), "scores": scores}
    found = reports(*pair)
    assert found["ids"].suggestion == "share(0.975)"
    asked = {"ids": share(0.99)}
    found = reports(
        {"ids": ids.astype(dtype), "scores": scores}, {"ids": other.astype(dtype), "scores": scores}, comparisons=asked
    )
    assert found["ids"].suggestion == "share(0.975)"


@pytest.mark.parametrize("wrong", [5, 10, -1])
def test_another_class_than_the_one_beside_it_gets_none(wrong):
    scores, ids = tie()
    other = ids.copy()
    other[3] = wrong
    assert reports({"ids": ids, "scores": scores}, {"ids": other, "scores": scores})["ids"].suggestion == ""


def test_one_wrong_id_beside_a_tie_gets_none():
    scores, ids = tie()
    other = ids.copy()
    other[3], other[9] = 2, (ids[9] + 1) % 10
    assert reports({"ids": ids, "scores": scores}, {"ids": other, "scores": scores})["ids"].suggestion == ""


def test_scores_that_the_ids_were_not_chosen_by_prove_nothing():
    scores, ids = tie()
    other = ids.copy()
    other[3] = 2
    for others in (SCORES[::-1].copy(), scores[:, :5].copy(), scores.astype(np.int64), scores[0], np.zeros((40, 0))):
        assert reports({"ids": ids, "s": others}, {"ids": other, "s": others})["ids"].suggestion == ""


def test_a_segmentation_has_its_scores_on_another_axis():
    scores = DRAWN.standard_normal((2, 5, 4, 4)).astype(np.float32)
    scores[1, 3, 2, 2] = scores[1, 0, 2, 2] = 8
    ids = scores.argmax(1)
    other = ids.copy()
    other[1, 2, 2] = 3
    assert reports({"ids": ids, "s": scores}, {"ids": other, "s": scores})["ids"].suggestion == "share(0.968)"


def test_two_neighbours_of_a_ranking_may_change_places():
    order = np.argsort(-SCORES, 1)
    ranked = np.take_along_axis(SCORES, order, 1)
    ranked[4, 1] = ranked[4, 2] + np.float32(1e-6)
    swapped, moved = order.copy(), order.copy()
    swapped[4, [1, 2]] = swapped[4, [2, 1]]
    moved[4, [1, 5]] = moved[4, [5, 1]]
    assert reports({"i": order, "v": ranked}, {"i": swapped, "v": ranked})["i"].suggestion == "share(0.995)"
    assert reports({"i": order, "v": ranked}, {"i": moved, "v": ranked})["i"].suggestion == ""


# Tolerances


@pytest.mark.parametrize("computed", [None, Computed("fp32"), Computed("fp64"), Computed("fp32", "bf16")])
@pytest.mark.parametrize("asked", [{}, {"atol": 1e-6}, {"rtol": 1e-6}, {"atol": 1e-5, "rtol": 1e-5}])
@pytest.mark.parametrize("wrong", [1.05, 0.95, 1.02, -1.0])
def test_a_result_that_is_off_by_percents_gets_no_tolerance(wrong, asked, computed):
    assert suggested(SCORES, SCORES * np.float32(wrong), computed=computed, **asked) == ""


def test_one_wrong_element_among_rounded_ones_gets_none():
    noisy = SCORES * np.float32(1 + 2e-4)
    assert suggested(SCORES, noisy, atol=1e-6) == "atol 8e-4"
    noisy[20, 5] = SCORES[20, 5] + 0.03
    assert suggested(SCORES, noisy, atol=1e-6) == ""


def test_a_large_element_excuses_no_small_one():
    scores = SCORES.copy()
    scores[0, 0] = 1e6
    wrong = scores.copy()
    wrong[1, 1] += 0.5
    assert suggested(scores, wrong) == suggested(scores, wrong, atol=1e-5) == ""


def test_what_the_precision_explains_gets_a_tolerance():
    noisy = (SCORES * np.float32(1.005)).astype(np.float32)
    for precision in ("fp16", "bf16", "int8"):
        assert suggested(SCORES, noisy, precision=precision, atol=1e-4)
    low = SCORES.astype(ml_dtypes.bfloat16)
    assert suggested(low, (SCORES * np.float32(1.01)).astype(ml_dtypes.bfloat16), atol=1e-4)


def test_a_whole_number_that_is_off_by_more_than_was_asked_for_gets_none():
    numbers = np.arange(50)
    assert suggested(numbers, numbers + 2, atol={"y": 1}) == ""


@given(st.floats(1e-7, 0.1), st.sampled_from(["", "fp16", "bf16", "int8"]))
def test_whatever_is_suggested_passes_and_allows_no_more_than_rounding_explains(error, precision):
    wrong = (SCORES * np.float32(1 + error)).astype(np.float32)
    found = reports({"y": SCORES}, {"y": wrong}, precision=precision, atol=1e-7)["y"]
    if found.suggestion:
        said = dict(zip(*[iter(found.suggestion.replace(" and ", " ").split())] * 2, strict=True))
        again = reports({"y": SCORES}, {"y": wrong}, **{name: float(value) for name, value in said.items()})
        assert again["y"].problem == ""
        assert error < {"": 0.02, "fp16": 0.08, "bf16": 0.48, "int8": 1.2}[precision]


# Cosines


def test_vectors_that_point_elsewhere_get_no_cosine():
    for angle in (0.5, 0.1, 0.03):
        turned = SCORES + np.float32(angle) * SCORES[:, ::-1]
        assert suggested(SCORES, turned, comparisons={"y": cosine(1.0)}) == ""


def test_vectors_that_rounding_turned_get_the_cosine_that_they_have():
    turned = SCORES + np.float32(0.001) * SCORES[:, ::-1]
    found = suggested(SCORES, turned, comparisons={"y": cosine(1.0)})
    assert found.startswith("cosine(0.9999")
    least = float(found.removeprefix("cosine(").removesuffix(")"))
    assert reports({"y": SCORES}, {"y": turned}, comparisons={"y": cosine(least)})["y"].problem == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1 - 1.2345e-6, "cosine(0.9999987)"),  # two digits of what is missing from 1
        (1 - 3.2345e-6, "cosine(0.9999967)"),
        (1 - 9.2345e-6, "cosine(0.9999907)"),
        (1 - 5.1e-5, ""),
        (1.0, ""),
        (0.5, ""),
        (1 + 1e-9, ""),
    ],
)
def test_a_cosine_is_suggested_up_to_what_rounding_explains(value, text):
    assert cosine_that_passes(value, 1e-2) == text


def test_a_cosine_exactly_as_far_as_rounding_explains_is_suggested():
    assert cosine_that_passes(0.875, 0.5) == "cosine(0.87)"
    assert cosine_that_passes(0.875, 0.49) == ""


# Shares and figures


@pytest.mark.parametrize(
    ("equal", "text"),
    [
        (0.0, ""),
        (0.4999, ""),
        (0.5, "share(0.5)"),
        (0.97249, "share(0.972)"),
        (0.9999, "share(0.999)"),
        (1.0, ""),
    ],
)
def test_a_share_is_suggested_where_most_is_equal_and_something_is_not(equal, text):
    assert share_that_passes(equal) == text


@pytest.mark.parametrize(("wrong", "total"), [(8, 125), (157, 500), (1, 3), (3, 100)])
def test_a_share_that_is_suggested_passes(wrong, total):
    scores = np.zeros((total, 2), np.float32)
    ids, other = np.zeros(total, np.int64), np.zeros(total, np.int64)
    other[:wrong] = 1
    outputs = {"ids": ids, "scores": scores}, {"ids": other, "scores": scores}
    found = reports(*outputs)["ids"].suggestion
    assert found == share_that_passes((total - wrong) / total)
    least = float(found.removeprefix("share(").removesuffix(")"))
    assert reports(*outputs, comparisons={"ids": share(least)})["ids"].problem == ""


@pytest.mark.parametrize(
    ("value", "digits", "text"), [(0.99996, 4, "0.9999"), (0.5, 3, "0.5"), (-0.25, 1, "-0.3"), (1.0, 4, "1")]
)
def test_a_fraction_is_cut_and_not_rounded(value, digits, text):
    assert round_down(value, digits) == text


@pytest.mark.parametrize(
    ("value", "above"),
    [
        (3.1e-3, 4e-3),
        (3e-3, 4e-3),
        (9.5, 10.0),
        (1.0, 2.0),
        (0.0, 2e-300),
        (1e-310, 2e-300),
        (2.9999999999, 4.0),
        (2.99999999, 3.0),
        (123.0, 200.0),
    ],
)
def test_a_round_number_has_one_digit_and_is_above(value, above):
    assert round_up(value) == above


# Model Navigator's search


def spread(*rtols, mean=0.001, std=0.001):
    """One whose relative differences are these, step by step, and the last one from there on."""
    return Spread(mean, std, np.array([*rtols, *[rtols[-1]] * (measures.STEPS - len(rtols))]))


def text(*spreads, atol=1e-5, rtol=0.0, needed=0.0495, largest=10.0, explained=0.01, unseen=0.0, alone=False):
    return Suggester(list(spreads), unseen).text(atol, rtol, needed, largest, explained, alone)


FOUND = spread(0.04, 0.002)
"""0.04 is more than rounding explains; one step further 0.002 remains."""


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ({}, "atol 2e-3 and rtol 2e-3"),
        ({"atol": 0.03}, "atol 0.03 and rtol 2e-3"),
        ({"rtol": 4e-3}, "atol 2e-3 and rtol 4e-3"),
        ({"needed": 0.0015}, "atol 2e-3"),
        ({"needed": 0.0015, "rtol": 4e-3}, "atol 2e-3 and rtol 4e-3"),
        ({"needed": 0.0015, "rtol": 4e-3, "alone": True}, "atol 2e-3"),
        ({"needed": 0.0025}, "atol 2e-3 and rtol 2e-3"),
        ({"atol": 0.05}, "atol 0.05"),
        ({"unseen": 1e-5}, "atol 2e-3 and rtol 2e-3"),
        ({"unseen": 1.1e-5}, "atol 0.05"),
        ({"largest": 0.2}, "atol 0.05"),
        ({"largest": 0.21}, "atol 2e-3 and rtol 2e-3"),
        ({"explained": 0.002}, "atol 2e-3 and rtol 2e-3"),
        ({"explained": 0.0019}, "atol 0.05"),
        ({"explained": 0.04}, "atol 1e-3 and rtol 0.04"),
    ],
)
def test_a_pair_is_suggested_where_it_is_tighter_than_one_number(asked, answer):
    assert text(FOUND, **asked) == answer


def test_a_relative_tolerance_of_a_twentieth_is_none():
    assert text(spread(0.05), explained=1.0) == "atol 0.05"
    assert text(spread(0.049), explained=1.0) == "atol 1e-3 and rtol 0.049"


def test_a_pair_is_rounded_up_to_thousandths():
    assert text(spread(0.0021, mean=0.0031)) == "atol 4e-3 and rtol 3e-3"


def test_a_pair_is_the_largest_of_all_cases():
    assert text(spread(0.004), spread(0.002, mean=0.005)) == "atol 5e-3 and rtol 4e-3"
    pair = spread(0.9, 0.9, 0.004), spread(0.002, mean=0.5, std=0.25)
    assert text(*pair, needed=5.0, largest=1000.0) == "atol 1 and rtol 4e-3"


def test_the_search_ends_after_so_many_deviations():
    late = Spread(0.001, 0.0, np.array([0.9] * (measures.STEPS - 1) + [0.001]))
    assert text(late) == "atol 1e-3 and rtol 1e-3"
    assert text(spread(0.9, std=0.0)) == "atol 0.05"


def test_without_a_failed_case_one_number_is_suggested():
    assert text() == "atol 0.05"


def test_figures_beyond_thousandths_are_kept():
    found = text(spread(0.001, mean=1.5e12), needed=1e13, largest=1e15)
    assert found == "atol 1.5e12 and rtol 1e-3"


@pytest.mark.parametrize("failed", [True, False])
def test_failed_cases_are_looked_at_and_others_limit_what_is_looked_for(failed):
    suggester = Suggester()
    suggester.add(Measure(atol=1.0, excess=0.5), np.array([1.0]), np.array([2.0]), failed=failed)
    suggester.add(Measure(atol=1.0, excess=0.25), np.array([1.0]), np.array([2.0]), failed=failed)
    assert (len(suggester.spreads), suggester.unseen) == ((2, 0.0) if failed else (0, 0.5))


def test_a_case_that_is_infinitely_far_off_is_not_looked_at():
    suggester = Suggester()
    suggester.add(Measure(atol=np.inf, excess=np.inf), np.array([1.0]), np.array([np.inf]), failed=True)
    assert (suggester.spreads, suggester.unseen) == ([], np.inf)


# The line of a failure


def test_every_reason_is_in_the_line_and_repeated_ones_are_counted():
    expected = {"a": SCORES, "b": np.arange(3), "c": SCORES, "d": SCORES[0]}
    actual = {"a": SCORES * 2, "b": np.arange(3, dtype=np.int32), "c": SCORES * 3, "d": SCORES[0]}
    line = failure_line(list(reports(expected, actual).values()))
    assert line.count("max abs") == 1
    assert "b: int32 where the source has int64 (sample 0)" in line
    assert line.endswith("; and 1 more output")


def test_another_type_does_not_hide_wrong_values():
    line = failure_line(list(reports({"y": SCORES}, {"y": SCORES.astype(np.float64) * 2}).values()))
    assert line.startswith("y: float64 where the source has float32 (sample 0); max abs")
