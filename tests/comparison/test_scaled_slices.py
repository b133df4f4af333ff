"""`nav.scaled`: a scale for each slice of an output, and a tolerance relative to it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pytest_navigator.comparison.correctness import Comparison, failure_line
from pytest_navigator.comparison.slices import MOST
from pytest_navigator.comparison.tolerances import Rule, resolve, scaled
from pytest_navigator.core.plain import plain, structured
from pytest_navigator.core.records import OutputReport, TensorSpec
from pytest_navigator.errors import ConfigError

BOXES = np.concatenate(
    [np.random.default_rng(0).uniform(0, 640, (2, 300, 4)), np.random.default_rng(1).uniform(0, 1, (2, 300, 2))], -1
).astype(np.float32)
PIXELS, SCORES = np.s_[..., :4], np.s_[..., 4:]


def rule_of(comparison, array):
    spec = TensorSpec("y", array.shape, array.dtype.name)
    return resolve([spec], variant_key="onnx", format_name="onnx", comparisons={"y": comparison})["y"]


def report_of(comparison, *cases):
    found = Comparison({"y": rule_of(comparison, cases[0][0])})
    for sample, (expected, actual) in enumerate(cases):
        found.add(sample, "batch", {"y": expected}, {"y": actual})
    return found.reports()[0]


def off(part, by):
    wrong = BOXES.copy()
    wrong[part] += np.float32(by)
    return wrong


@pytest.mark.parametrize("axis", [-1, 2, (-1,), [2], (0, -1), (-1, 0)])
def test_scores_beside_pixels_are_judged_as_scores(axis):
    wrong = off(SCORES, 0.015)
    assert report_of(scaled(), (BOXES, wrong)).problem == ""
    assert report_of(scaled(axis), (BOXES, wrong)).problem.startswith("slice")
    assert report_of(scaled(axis), (BOXES, off(PIXELS, 0.015))).problem == ""
    assert report_of(scaled(axis), (BOXES, off(SCORES, 1e-5))).problem == ""


def test_a_failure_says_which_slice_and_where_in_the_output():
    wrong = BOXES.copy()
    wrong[1, 7, 5] += 0.25
    report = report_of(scaled(-1), (BOXES, BOXES), (BOXES, wrong))
    assert report.index == (1, 7, 5)
    assert (report.mismatched, report.total) == (1, 2 * BOXES.size)
    assert report.problem.startswith("slice 5 of axis 2: max abs 0.25 (sample 1, [1,7,5]), max rel")
    wrong[0, 3, 4] += 0.5
    assert report_of(scaled((0, 2)), (BOXES, wrong)).problem.startswith("slice 0,4 of axes 0, 2: max abs 0.5 (sample")
    assert report_of(scaled((0, 2)), (BOXES, wrong)).problem.endswith("; and 1 more slice")
    wrong[0, 4, 5] += 0.5
    assert report_of(scaled((0, 2)), (BOXES, wrong)).problem.endswith("; and 2 more slices")


def test_what_passes_says_how_it_was_judged_and_what_it_allows():
    report = report_of(scaled(-1), (BOXES, off(SCORES, 1e-5)))
    assert report.used == "1e-4 of (|value| + scale of its slice along axis 2) (fp32 default)"
    assert report.problem == report.suggestion == ""
    assert report.mismatched == 0
    assert report.allowed_atol > 1e-3
    assert report.allowed_rtol == 1e-4


def test_the_tolerance_can_be_said_relative_to_the_scale():
    wrong = off(SCORES, 0.001)
    assert report_of(scaled(-1), (BOXES, wrong)).suggestion == "scaled(axis=2, tolerance=2e-3)"
    assert report_of(scaled(-1, tolerance=2e-3), (BOXES, wrong)).problem == ""
    assert report_of(scaled(tolerance=1e-6), (BOXES, wrong)).suggestion == "scaled(tolerance=8e-6)"
    report = report_of(scaled(tolerance=2e-5), (BOXES, wrong))
    assert report.problem == ""
    assert report.used.endswith(") (asked for)")


def test_what_passes_in_its_slices_passes_whatever_the_whole_would_make_of_it():
    expected = np.array([[1000.0, 1.0, 1.1], [1000.0, 1.2, 1.3], [0.0, 1.4, 1.5]], np.float32)
    actual = expected + np.array([[0.0, 0.0, 0.0]] * 2 + [[0.002, 0.0, 0.0]], np.float32)
    assert report_of(scaled(), (expected, actual)).suggestion
    report = report_of(scaled(1), (expected, actual))
    assert (report.problem, report.mismatched, report.suggestion) == ("", 0, "")
    assert (report.allowed_atol, report.allowed_rtol) == (pytest.approx(0.1), 1e-4)


def test_a_failure_has_the_figures_of_the_whole():
    expected = np.array([[1000.0, 1.0], [1000.0, 1.0], [0.0, 1.0]], np.float32)
    actual = expected + np.array([[0.0, 0.5], [2.0, 0.0], [1e-3, 0.0]], np.float32)
    report = report_of(scaled(1), (expected, actual))
    assert report.problem.startswith("slice 1 of axis 1: max abs 0.5")
    assert (report.atol, report.rtol, report.total) == (2.0, np.inf, 6)


def test_nothing_is_suggested_if_a_slice_that_is_not_told_is_plainly_wrong():
    expected = np.array([[1.0, 1.0], [1.1, 1.0], [1e4, 1.0]], np.float32)
    actual = expected + np.array([[0.0, 0.01], [0.0, 0.0], [15.0, 0.0]], np.float32)
    told = report_of(scaled(1), (expected[:, :1], actual[:, :1]))
    assert told.suggestion.startswith("scaled(axis=1, tolerance=")
    both = report_of(scaled(1), (expected, actual))
    assert (both.problem.startswith("slice 0"), both.suggestion) == (True, "")


def test_nothing_is_suggested_if_one_slice_is_plainly_wrong():
    wrong = off(SCORES, 0.001)
    wrong[0, 0, 4] = 7
    assert report_of(scaled(-1), (BOXES, wrong)).suggestion == ""


def test_slices_of_one_index_have_one_scale_over_all_cases():
    small, large = np.full((1, 2), 1e-3, np.float32), np.full((1, 2), 0.9, np.float32)
    noisy = small + np.float32(5e-5)
    assert report_of(scaled(-1), (small, noisy)).problem
    assert report_of(scaled(-1), (small, noisy), (large, large)).problem == ""


@pytest.mark.parametrize(
    ("actual", "problem"),
    [
        (BOXES[..., :5], "shape (2,300,5) where the source has (2,300,6) (sample 0)"),
        (BOXES.astype(np.float64), "float64 where the source has float32 (sample 0)"),
        (None, "the format does not return this output (sample 0)"),
    ],
)
def test_another_shape_or_type_fails_as_ever(actual, problem):
    found = Comparison({"y": rule_of(scaled(-1), BOXES)})
    found.add(0, "batch", {"y": BOXES}, {} if actual is None else {"y": actual})
    assert found.reports()[0].problem == problem


def test_nan_in_a_slice_fails_with_its_place():
    wrong = BOXES.copy()
    wrong[1, 2, 3] = np.nan
    assert failure_line([report_of(scaled(-1), (BOXES, wrong))]).startswith("y: nan where the source has")


def test_an_output_without_elements_passes():
    assert report_of(scaled(-1), (BOXES[:0], BOXES[:0])).problem == ""


def test_more_slices_than_can_be_judged_are_refused():
    report = report_of(scaled((0, 1, 2)), (np.ones((3, 50, 50), np.float32), np.ones((3, 50, 50), np.float32)))
    assert "makes 7500 slices of it, at most 4096 are judged (sample 0)" in report.problem


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: scaled("batch"), r"scaled\(axis='batch'\): an axis is a whole number, like -1, or several: \(0, -1\)"),
        (lambda: scaled(1.0), r"scaled\(axis=1.0\)"),
        (lambda: scaled((0, None)), r"scaled\(axis=\(0, None\)\)"),
        (lambda: scaled(True), r"scaled\(axis=True\)"),
        (lambda: scaled(tolerance=0), r"scaled\(tolerance=0\): a part of the scale is above 0 and below 1"),
        (lambda: scaled(tolerance=1), r"scaled\(tolerance=1\)"),
        (lambda: scaled(tolerance="1e-3"), r"scaled\(tolerance='1e-3'\)"),
        (
            lambda: rule_of(scaled(3), BOXES),
            r"output 'y' has no axis 3 \(nav.scaled\(axis=...\)\): it has 3 axes, -3 to",
        ),
        (lambda: rule_of(scaled(-4), BOXES), "output 'y' has no axis -4"),
        (lambda: rule_of(scaled((-1, 2)), BOXES), r"output 'y': nav.scaled\(axis=\(-1, 2\)\) names an axis twice"),
        (lambda: rule_of(scaled(0), np.float32(1)), r"output 'y' has no axis 0 \(.*\): it has no axes"),
        (lambda: rule_of(scaled(-1), np.arange(3)), "output 'y' is int64: it has no scale; use nav.share"),
    ],
)
def test_a_wrong_axis_or_tolerance_says_what_is_possible(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


def test_the_rule_survives_in_a_package():
    for comparison in (scaled(-1), scaled((0, 2), tolerance=1e-3)):
        rule = rule_of(comparison, BOXES)
        assert structured(plain(rule), type(rule)) == rule
        assert structured(plain(comparison), type(rule)) == comparison


# The whole report


def judged(axis, *cases, explained=0.5):
    comparison = Comparison({"y": Rule("scaled", rtol=0.125, note="fp32", axis=axis, explained=explained)})
    for number, (expected, actual) in enumerate(cases):
        comparison.add(number, "row", {"y": np.array(expected)}, {"y": np.array(actual)})
    return replace(comparison.reports()[0], edge=(), octaves=())  # tests/gates/test_tolerance.py is about these


def test_a_failed_slice_is_told_with_the_figures_of_the_whole_output():
    assert judged((1,), ([[8.0, 1.0], [8.0, 1.0]], [[8.0, 1.5], [9.0, 1.0]])) == OutputReport(
        "y",
        1.0,
        0.5,
        sample=0,
        case="row",
        index=(0, 1),
        mismatched=1,
        total=4,
        used="0.125 of (|value| + 1 of its slice along axis 1) (fp32 default)",
        problem="slice 1 of axis 1: max abs 0.5 (sample 0 at batch 1, [0,1]), max rel 0.5, outside 0.125 of (|value| + "
        "1 of its slice along axis 1) (fp32 default); 50 % of elements; the source's largest value is 1",
        suggestion="scaled(axis=1, tolerance=0.6)",
        allowed_atol=None,
        allowed_rtol=None,
        largest=8.0,
    )


def test_slices_that_pass_allow_the_largest_of_their_tolerances():
    assert judged((1,), ([[8.0, 1.0], [8.0, 1.0]], [[8.0, 1.125], [9.0, 1.0]])) == OutputReport(
        "y",
        1.0,
        0.125,
        sample=0,
        case="row",
        index=(1, 0),
        mismatched=0,
        total=4,
        used="0.125 of (|value| + scale of its slice along axis 1) (fp32 default)",
        problem="",
        suggestion="",
        allowed_atol=2.0,
        allowed_rtol=0.125,
        largest=8.0,
    )


def test_the_slice_that_is_furthest_outside_for_its_scale_is_told():
    expected = [[8.0, 1.0, 2.0], [8.0, 1.0, 2.0]]
    wrong = [[12.0, 1.0, 2.0], [8.0, 2.0, 2.0]]  # 3 left of a scale of 8, and 0.875 of 1
    found = judged((1,), (expected, wrong))
    assert found.problem.startswith("slice 1 of axis 1: max abs 1 (sample 0 at batch 1, [1,1]), ")
    assert found.problem.endswith("; and 1 more slice")
    assert (found.mismatched, found.atol, found.rtol) == (2, 4.0, 1.0)


def test_the_suggestion_is_what_the_furthest_slice_needs():
    expected, wrong = [[8.0, 1.0], [8.0, 1.0]], [[12.0, 1.0], [8.0, 1.75]]
    assert judged((1,), (expected, wrong)).suggestion == "scaled(axis=1, tolerance=0.8)"
    assert judged((1,), (expected, wrong), explained=0.26).suggestion == ""  # not of the second slice


def test_a_place_in_a_slice_is_told_as_the_place_in_the_output():
    expected = np.ones((2, 3, 4, 5))
    for axis in ((0,), (1,), (2,), (3,), (0, 2), (1, 3), (0, 1, 2)):
        wrong = expected.copy()
        wrong[1, 2, 3, 4] = 9.0
        found = judged(axis, (expected, wrong))
        assert found.index == (1, 2, 3, 4)
        label = f"slice {','.join(str((1, 2, 3, 4)[a]) for a in axis)} of ax{'i' if len(axis) == 1 else 'e'}s "
        assert found.problem.startswith(label + ", ".join(map(str, axis)) + ": max abs 8")


def test_slices_of_another_case_belong_to_those_of_the_same_index():
    cases = [([[1.0, 8.0]], [[1.0, 8.0]]), ([[1.0, 8.0]] * 3, [[1.0, 8.0], [1.5, 8.0], [1.0, 8.0]])]
    found = judged((1,), *cases)
    assert (found.sample, found.index, found.total) == (1, (1, 0), 8)
    assert "; 25 % of elements" in found.problem


def test_as_many_slices_as_can_be_judged_are_judged():
    right = np.ones(MOST)
    assert judged((0,), (right, right)).problem == ""
    more = np.ones(MOST + 1)
    assert judged((0,), (more, more)).problem == (
        "scaled(axis=0, tolerance=0.125) makes 4097 slices of it, at most 4096 are judged (sample 0 at batch 1)"
    )


def test_without_a_case_no_slice_passes():
    comparison = Comparison({"y": Rule("scaled", rtol=0.125, note="fp32", axis=(0,))})
    assert comparison.reports()[0].problem == "no case was compared"


@pytest.mark.parametrize(
    ("case", "problem"),
    [
        (([[1.0, 2.0]], [[1.0]]), "shape (1,1) where the source has (1,2) (sample 1 at batch 1)"),
        (([[1.0, 2.0]], [[1.0, np.inf]]), "inf where the source has 2.0 (sample 1 at batch 1, [0,1])"),
    ],
)
def test_what_is_wrong_whatever_the_values_are_is_told_without_slices(case, problem):
    right = ([[1.0, 2.0]], [[1.0, 2.0]])
    assert judged((1,), right, case).problem.startswith(problem)


@pytest.mark.parametrize("lacking", ["expected", "actual"])
def test_a_missing_output_has_no_slices(lacking):
    comparison = Comparison({"y": Rule("scaled", rtol=0.125, note="fp32", axis=(0,))})
    outputs = {"expected": {"y": np.ones(2)}, "actual": {"y": np.ones(2)}, lacking: {}}
    comparison.add(3, "batch", **outputs)
    who = "the source" if lacking == "expected" else "the format"
    assert comparison.reports()[0].problem == f"{who} does not return this output (sample 3)"


def test_a_type_without_a_value_of_slices_is_told_first():
    found = judged((1,), ([[1.0, 2.0]], np.array([[1.0, 2.0]], np.float32)))
    assert found.problem == "float32 where the source has float64 (sample 0 at batch 1)"
