"""What each rule makes of an output: the whole report, figure by figure."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from pytest_navigator.comparison.correctness import Comparison
from pytest_navigator.comparison.tolerances import Rule, cosine, share
from pytest_navigator.comparison.verdicts import Tally, looser
from pytest_navigator.core.records import OutputReport

INF = math.inf
CLOSE = Rule("close", atol=0.25)
SCALED = Rule("scaled", atol=1e-3, rtol=0.125, note="fp32", explained=0.25)
EXPLAINED = Rule("close", atol=1e-3, explained=0.25)


def told(rule, *cases, kinds="batch row"):
    """The report of (expected, actual) pairs: samples from 0, each at batch and row in turn."""
    output = Tally("y", rule)
    for number, (expected, actual) in enumerate(cases):
        place = (number, kinds.split()[number % len(kinds.split())], ())
        output.add(place, *(None if each is None else np.asarray(each) for each in (expected, actual)))
    return replace(output.report(), edge=(), octaves=())  # tests/gates/test_tolerance.py is about these


# Close


def test_what_is_close_passes_and_allows_its_tolerance():
    assert told(CLOSE, ([1.0, 2.0], [1.125, 2.0])) == OutputReport(
        "y",
        0.125,
        0.125,
        sample=0,
        case="batch",
        index=(0,),
        mismatched=0,
        total=2,
        used="atol 0.25",
        problem="",
        suggestion="",
        allowed_atol=0.25,
        allowed_rtol=0.0,
        largest=2.0,
    )


def test_what_is_not_close_fails_with_its_place_and_allows_nothing():
    assert told(CLOSE, ([[1.0, 2.0]], [[1.0, 2.0]]), ([[4.0, 2.0]], [[4.0, 3.0]])) == OutputReport(
        "y",
        1.0,
        0.5,
        sample=1,
        case="row",
        index=(0, 1),
        mismatched=1,
        total=4,
        used="atol 0.25",
        problem="max abs 1 (sample 1 at batch 1, [0,1]) > atol 0.25; 25 % of elements; the source's largest value is 4",
        suggestion="",
        allowed_atol=None,
        allowed_rtol=None,
        largest=4.0,
    )


def test_a_relative_tolerance_shows_the_relative_difference():
    found = told(Rule("close", atol=0.25, rtol=0.125), ([1.0, 100.0], [2.0, 100.0]))
    assert found.problem == "max abs 1 (sample 0, [0]), max rel 1, outside atol 0.25, rtol 0.125; 50 % of elements"
    assert found.used == "atol 0.25, rtol 0.125"


@pytest.mark.parametrize(("difference", "shown"), [(1.0, False), (1.25, True)])
def test_a_difference_above_a_tenth_of_the_output_is_shown_beside_its_size(difference, shown):
    found = told(Rule("close"), ([10.0], [10.0 + difference]))
    assert ("; the source's largest value is 10" in found.problem) == shown


def test_a_tolerance_that_would_pass_is_suggested_where_rounding_explains_every_element():
    expected = np.arange(1.0, 101.0)
    found = told(EXPLAINED, (expected, expected + 0.03))
    assert found.suggestion == "atol 0.031 and rtol 2e-3"
    assert told(EXPLAINED, (expected, expected * 2)).suggestion == ""
    assert told(Rule("close", atol=1e-3), (expected, expected + 0.03)).suggestion == ""


def test_a_suggestion_keeps_the_relative_tolerance_that_was_asked_for():
    expected = np.arange(1.0, 101.0)
    found = told(Rule("close", atol=1e-3, rtol=1e-6, explained=0.25), (expected, expected + 0.03))
    assert found.suggestion == "atol 0.03 and rtol 1e-6"


def test_rounding_explains_a_part_of_value_and_scale_and_the_tolerance_itself():
    ones = np.ones(4)  # value and scale 1: 0.5 and the 1e-3 that was asked for
    assert told(EXPLAINED, (ones, ones + 0.501)).suggestion
    assert not told(EXPLAINED, (ones, ones + 0.502)).suggestion


# Scaled


def test_the_default_passes_what_is_within_its_part_of_value_and_scale():
    found = told(SCALED, ([4.0, 2.0, 6.0], [5.0, 2.0, 6.0]))
    assert found == OutputReport(
        "y",
        1.0,
        0.25,
        sample=0,
        case="batch",
        index=(0,),
        mismatched=0,
        total=3,
        used="0.125 of (|value| + 4) (fp32 default)",
        problem="",
        suggestion="",
        allowed_atol=2.0,
        allowed_rtol=0.125,
        largest=6.0,
    )


def test_the_default_fails_what_is_outside():
    found = told(SCALED, ([4.0, 2.0, 6.0], [4.0, 3.0, 6.0]), ([4.0, 2.0, 6.0], [9.0, 2.0, 6.0]))
    assert found == OutputReport(
        "y",
        5.0,
        1.25,
        sample=1,
        case="row",
        index=(0,),
        mismatched=2,
        total=6,
        used="0.125 of (|value| + 4) (fp32 default)",
        problem="max abs 5 (sample 1 at batch 1, [0]), max rel 1.25, outside 0.125 of (|value| + 4) (fp32 default); "
        "33 % of elements; the source's largest value is 6",
        suggestion="",
        allowed_atol=None,
        allowed_rtol=None,
        largest=6.0,
    )


def test_a_difference_of_exactly_the_limit_passes():
    rule = Rule("scaled", atol=0.5, rtol=0.125, note="fp32")
    assert told(rule, ([4.0], [5.5])).problem == ""  # 0.125 of 4 + 4, and 0.5
    assert told(rule, ([4.0], [5.5000001])).problem != ""


def test_at_least_one_element_is_outside_of_what_fails():
    rule = Rule("scaled", rtol=0.125, note="fp32")
    found = told(rule, ([4.0, 4.0], [5.0000001, 4.0]))
    assert found.mismatched == 1


def test_the_allowed_tolerance_passes_what_has_passed_without_the_relative_part():
    found = told(Rule("scaled", rtol=0.125, note="fp32"), ([100.0, 1.0, 1.5], [112.0, 1.0, 1.5]))
    assert (found.problem, found.allowed_atol, found.allowed_rtol) == ("", 20.0, 0.125)  # 12, rounded up


@pytest.mark.parametrize(
    ("rule", "pair", "atol"),
    [
        (Rule("equal"), ([1, 2], [1, 2]), 0.0),
        (share(0.5), ([1, 2], [1, 5]), 4.0),
        (cosine(0.5), ([1.0, 2.0], [1.0, 2.5]), 0.6),
        (Rule("unchecked", note="x"), ([1.0], [3.0]), 3.0),
        (Rule("function", note="f"), ([1.0], [1.0]), 0.0),
    ],
)
def test_other_rules_allow_what_was_measured_rounded_up(rule, pair, atol):
    found = told(rule, pair)
    assert (found.problem, found.allowed_atol, found.allowed_rtol) == ("", atol, 0.0)


def test_what_the_default_suggests_holds_by_itself():
    rule = Rule("scaled", rtol=1e-4, note="fp32", explained=0.01)
    expected = np.linspace(1.0, 2.0, 64)
    found = told(rule, (expected, expected * 1.005))
    assert found.suggestion == "atol 8e-3 and rtol 5e-3"
    assert told(Rule("close", atol=8e-3, rtol=5e-3), (expected, expected * 1.005)).problem == ""
    assert told(rule, (expected, expected * 1.05)).suggestion == ""


def test_a_suggestion_for_the_default_does_without_its_relative_part():
    rule = Rule("scaled", rtol=1e-3, note="fp32", explained=0.5)
    assert told(rule, ([1.0, 1.0], [1.3, 1.3])).suggestion == "atol 0.4"


def test_who_asked_for_a_part_of_the_scale_is_told_another_part():
    rule = Rule("scaled", rtol=1e-3, note="asked for", explained=0.25)
    found = told(rule, (np.full(4, 2.0), np.full(4, 2.1)))
    assert found.used == "1e-3 of (|value| + 2) (asked for)"
    assert found.suggestion == "scaled(tolerance=0.06)"  # 0.098 is left of 0.1 beside the value, 0.049 of the scale


def test_what_is_looser_is_said_with_its_axes():
    output = Tally("y", Rule("scaled", rtol=1e-3, note="fp32", axis=(1,), explained=0.25))
    output.add((0, "batch", ()), np.full(4, 2.0), np.full(4, 2.1))
    assert looser(output, 0.0) == "scaled(axis=1, tolerance=0.06)"


# Digits


ROUNDED = Rule("scaled", atol=1e-300, rtol=1e-4, note="fp32", digits=("float32",))
FINE = np.array([1 / 3, 2 / 7, 0.9])


def test_values_that_have_lost_their_digits_fail_although_they_are_near():
    found = told(ROUNDED, (FINE, FINE.astype(np.float32).astype(np.float64)))
    assert found.problem.startswith("max abs 2.4e-8 (sample 0, [2]): rounded to float32")
    assert found.problem.endswith(": rounded to float32, where the source's values have more digits")
    assert (found.mismatched, found.suggestion, found.allowed_atol) == (0, "", None)


def test_one_value_with_its_digits_shows_that_nobody_rounded():
    actual = FINE.astype(np.float32).astype(np.float64)
    actual[0] = FINE[0] + 1e-9
    assert told(ROUNDED, (FINE, actual)).problem == ""


@pytest.mark.parametrize("order", [1, -1])
def test_digits_are_counted_over_all_cases(order):
    rounded = FINE.astype(np.float32).astype(np.float64)
    kept = FINE * (1 + 1e-9)
    assert told(ROUNDED, *[(FINE, rounded), (FINE, kept)][::order]).problem == ""
    assert told(ROUNDED, (FINE, rounded), (FINE, rounded)).problem != ""


def test_without_a_type_with_fewer_digits_nobody_looks_for_them():
    assert told(Rule("scaled", rtol=1e-4, note="fp32"), (FINE, FINE.astype(np.float32).astype(float))).problem == ""


def test_the_type_that_is_told_is_the_one_that_values_were_rounded_to():
    rule = Rule("scaled", rtol=1.0, note="fp16", digits=("float16", "bfloat16"))
    fine = FINE.astype(np.float32)
    assert "rounded to float16," in told(rule, (fine, fine.astype(np.float16).astype(np.float32))).problem
    low = (fine.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)
    assert "rounded to " in told(Rule("scaled", rtol=1.0, note="bf16", digits=("bfloat16",)), (fine, low)).problem


def test_a_case_that_is_equal_shows_no_digits_of_the_format():
    rounded = FINE.astype(np.float32).astype(np.float64)
    assert "rounded to float32" in told(ROUNDED, (FINE, FINE), (FINE, rounded)).problem


def test_values_that_have_no_more_digits_than_the_type_have_lost_none():
    assert told(ROUNDED, ([1.0, 2.0, 3.0], [1.0, 2.0, 3.0 + 1e-6])).problem == ""


def test_another_type_is_not_told_as_lost_digits_too():
    found = told(ROUNDED, (FINE, FINE.astype(np.float32)))
    assert found.problem == "float32 where the source has float64 (sample 0)"


# Which cases are looked at for a suggestion


@pytest.mark.parametrize(
    ("rule", "difference", "looked"),
    [
        (Rule("scaled", rtol=0.125), 1.22, 0),  # 0.22 is left of what 8 may differ by, not a quarter of 1
        (Rule("scaled", rtol=0.125), 1.25, 0),
        (Rule("scaled", rtol=0.125), 1.26, 1),
        (Rule("close", atol=0.5), 0.5, 0),
        (Rule("close", atol=0.5), 0.625, 1),
        (Rule("close", atol=0.5, explained=0.1), 0.625, 1),
    ],
)
def test_a_case_that_may_fail_is_looked_at(rule, difference, looked):
    output = Tally("y", rule)
    output.add((0, "batch", ()), np.array([8.0, 8.0]), np.array([8.0 + difference, 8.0]))
    assert len(output.suggester.spreads) == looked
    assert (output.suggester.unseen == 0) == bool(looked)


# Equal, share, cosine


def test_what_must_be_equal_is_told_with_the_share_that_is_not():
    found = told(Rule("equal"), ([1, 2, 3, 4], [1, 2, 3, 40]))
    assert (found.problem, found.used) == ("max abs 36 (sample 0, [3]), must be equal; 25 % of elements", "equal")
    assert (found.mismatched, found.total, found.suggestion) == (1, 4, "share(0.75)")
    assert told(Rule("equal"), ([1, 2], [1, 2])).used == "equal"


def test_a_share_is_told_with_four_digits_and_the_largest_difference():
    found = told(share(0.9), ([1, 2, 3], [1, 2, 9]))
    assert found.problem == "share of equal elements 0.6666 < 0.9; largest difference 6 (sample 0, [2])"
    assert (found.used, found.mismatched) == ("share of equal elements >= 0.9", 1)
    assert found.suggestion == "share(0.666)"


def test_a_share_that_passes_says_how_many_differ():
    found = told(share(0.5), ([1, 2], [1, 3]))
    assert (found.problem, found.used, found.mismatched) == ("", "share of equal elements >= 0.5", 1)


def test_of_no_elements_all_are_equal():
    assert told(share(1.0), (np.zeros(0), np.zeros(0))).problem == ""


def test_a_cosine_is_told_with_four_digits_and_the_largest_difference():
    found = told(cosine(0.9), ([0.0, 1.0], [0.0, 1.0]), ([1.0, 0.0], [1.0, 1.0]))
    assert found.problem == "cosine 0.7071 < 0.9; max abs 1 (sample 1 at batch 1, [1])"
    assert (found.used, found.mismatched, found.suggestion) == ("cosine >= 0.9", 0, "")
    passed = told(cosine(0.5), ([1.0, 0.0], [1.0, 0.5]))
    assert (passed.problem, passed.used) == ("", "cosine >= 0.5")
    assert told(cosine(0.99), ([1.0, 0.0], [1.0, 0.2])).problem.startswith("cosine 0.9805 < 0.99;")


def test_a_cosine_that_rounding_explains_is_suggested():
    rule = Rule("cosine", minimum=1.0, explained=0.01)
    assert told(rule, ([1.0, 0.0], [1.0, 2e-3])).suggestion == "cosine(0.999998)"


# What is wrong whatever the values are


@pytest.mark.parametrize(
    ("pair", "problem"),
    [
        ((None, [1.0]), "the source does not return this output (sample 0)"),
        (([1.0], None), "the format does not return this output (sample 0)"),
        ((None, None), "the source does not return this output (sample 0)"),
        (([1.0, 2.0], [[1.0], [2.0]]), "shape (2,1) where the source has (2,) (sample 0)"),
        ((1.0, [1.0]), "shape (1,) where the source has () (sample 0)"),
        (([1, 2], [1.0, 2.0]), "float64 where the source has int64 (sample 0)"),
        (([1.0, 2.0], [1, 2]), "int64 where the source has float64 (sample 0)"),
        ((["a"], [1.0]), "float64 where the source has <U1 (sample 0)"),
        (([1.0], ["a"]), "<U1 where the source has float64 (sample 0)"),
    ],
)
def test_what_cannot_be_compared_is_infinitely_far_away(pair, problem):
    found = told(CLOSE, pair)
    assert (found.problem, found.atol, found.rtol, found.suggestion) == (problem, INF, INF, "")
    assert (found.sample, found.case, found.index, found.allowed_atol) == (0, "batch", (), None)


def test_another_floating_type_is_measured_all_the_same_and_told_with_what_is_wrong():
    found = told(CLOSE, ([1.0, 2.0], np.array([1.0, 3.0], np.float32)))
    assert found.problem == (
        "float32 where the source has float64 (sample 0); max abs 1 (sample 0, [1]) > atol 0.25; 50 % of elements; "
        "the source's largest value is 2"
    )
    assert (found.atol, found.mismatched, found.index) == (1.0, 1, ())
    assert told(CLOSE, ([1.0], np.ones(1, np.float32))).problem == "float32 where the source has float64 (sample 0)"


def test_for_another_type_no_tolerance_is_suggested():
    near = np.full(4, 1.03)
    assert told(EXPLAINED, (np.ones(4), near)).suggestion
    assert told(EXPLAINED, (np.ones(4), near.astype(np.float32))).suggestion == ""


def test_the_first_place_where_something_is_wrong_is_told_in_whatever_order_they_come():
    output = Tally("y", CLOSE)
    for sample in (3, 1, 2):
        output.add((sample, "batch", ()), np.zeros(1), None if sample < 3 else np.zeros(2))
    assert output.report().problem == "the format does not return this output (sample 1)"
    assert len(output.broken) == 1


@pytest.mark.parametrize(
    ("expected", "actual", "problem"),
    [
        (1.0, INF, "inf where the source has 1.0 (sample 0, [1])"),
        (-INF, 2.0, "2.0 where the source has -inf (sample 0, [1])"),
        (math.nan, 2.0, "2.0 where the source has nan (sample 0, [1])"),
    ],
)
@pytest.mark.parametrize("rule", [CLOSE, SCALED, cosine(0.1), Rule("unchecked", note="x"), share(0.1)])
def test_what_is_not_finite_in_one_alone_fails_under_every_rule(rule, expected, actual, problem):
    found = told(rule, ([0.0, expected], [0.0, actual]))
    assert (found.problem, found.atol, found.suggestion, found.index) == (problem, INF, "", (1,))


def test_finite_values_that_are_infinitely_far_apart_are_not_told_as_if_they_were_not_finite():
    found = told(CLOSE, ([1e308], [-1e308]))
    assert found.problem.startswith("max abs inf (sample 0, [0]) > atol 0.25")


def test_of_equal_differences_the_first_place_is_told():
    output = Tally("y", CLOSE)
    for sample in (2, 0, 1):
        output.add((sample, "batch", ()), np.zeros(2), np.array([0.0, 1.0]))
    assert (output.report().sample, output.report().index) == (0, (1,))


def test_without_a_difference_the_first_place_is_told():
    assert (told(CLOSE, ([1.0], [1.0]), ([1.0], [1.0])).sample) == 0


def test_a_missing_case_makes_no_place_nor_figure_smaller():
    found = told(CLOSE, ([1.0], [2.0]), ([1.0], None))
    assert (found.atol, found.problem) == (INF, "the format does not return this output (sample 1 at batch 1)")


def test_without_a_case_nothing_passes():
    found = Tally("y", CLOSE).report()
    assert (found.problem, found.sample, found.case, found.index) == ("no case was compared", None, "", ())
    assert found.suggestion == ""
    assert found.allowed_atol is None


def test_numbers_that_are_no_arrays_are_compared_as_such():
    output = Tally("y", CLOSE)
    output.add((0, "batch", ()), 1.0, 1.5)  # type: ignore[arg-type]
    assert output.report().problem.startswith("max abs 0.5 (sample 0) > atol 0.25")


def test_figures_are_added_up_over_the_cases():
    found = told(CLOSE, ([4.0, 1.0], [5.0, 1.0]), ([1.0], [1.5]), ([8.0], [8.0]))
    assert (found.atol, found.rtol, found.mismatched, found.total, found.sample) == (1.0, 0.5, 2, 4, 0)
    assert found.problem.endswith("; 50 % of elements; the source's largest value is 8")


# Several outputs


def compared(rules, expected, actual):
    comparison = Comparison(rules)
    comparison.add(2, "row", expected, actual)
    return comparison.reports()


def test_an_output_that_the_source_does_not_have_is_told_once_with_those_it_has():
    comparison = Comparison({"a": CLOSE, "b": CLOSE})
    right = {"a": np.ones(1), "b": np.ones(1)}
    for sample in (4, 5):
        comparison.add(sample, "row", right, {**right, "c": np.ones(1)})
    *_, stranger = comparison.reports()
    assert stranger == OutputReport(
        "c",
        INF,
        INF,
        sample=4,
        case="row",
        problem="the source has no such output (it has: a, b; sample 4)",
        broken=True,
    )
    assert len(comparison.reports()) == 3
    comparison.add(6, "row", right, {**right, "d": np.ones(1)})
    assert [report.name for report in comparison.reports()] == ["a", "b", "c", "d"]


def test_reports_are_in_the_order_of_the_rules():
    found = compared({"b": CLOSE, "a": CLOSE}, {"a": np.ones(1), "b": np.zeros(1)}, {"a": np.ones(1), "b": np.ones(1)})
    assert [(report.name, report.atol, report.sample, report.case) for report in found] == [
        ("b", 1.0, 2, "row"),
        ("a", 0.0, 2, "row"),
    ]


def test_ids_are_excused_by_scores_in_every_case_or_not_at_all():
    rules = {"ids": Rule("equal"), "scores": Rule("scaled", rtol=1e-4, note="fp32", explained=1e-3)}
    scores = np.array([[1.0, 1.0, 0.0], [0.0, 1.0, 0.0]])
    tie = {"ids": np.array([0, 1]), "scores": scores}, {"ids": np.array([1, 1]), "scores": scores}
    wrong = tie[0], {"ids": np.array([2, 1]), "scores": scores}
    for cases, suggestion in (
        ((tie,), "share(0.5)"),
        ((tie, tie), "share(0.5)"),
        ((tie, wrong), ""),
        ((wrong, tie), ""),
    ):
        comparison = Comparison(rules)
        for number, (expected, actual) in enumerate(cases):
            comparison.add(number, "batch", expected, actual)
        assert comparison.reports()[0].suggestion == suggestion


def test_a_case_without_a_difference_needs_no_excuse():
    rules = {"ids": Rule("equal"), "scores": Rule("scaled", rtol=1e-4, note="fp32", explained=1e-3)}
    comparison = Comparison(rules)
    for number, (ids, other, scores) in enumerate(
        [([0, 1], [1, 1], [[1.0, 1.0], [0.0, 1.0]]), ([9], [9], [[0.0, 1.0]])]
    ):
        expected = {"ids": np.array(ids), "scores": np.array(scores)}
        comparison.add(number, "batch", expected, {**expected, "ids": np.array(other)})
    assert comparison.reports()[0].suggestion.startswith("share(0.66")


def test_a_share_is_excused_by_scores_as_well():
    scores = np.array([[1.0, 1.0, 0.0], [0.0, 1.0, 0.0]])
    rules = {"ids": share(0.9), "scores": Rule("scaled", rtol=1e-4, note="fp32", explained=1e-3)}
    for other, suggestion in (([1, 1], "share(0.5)"), ([2, 1], "")):
        actual = {"ids": np.array(other), "scores": scores}
        found = compared(rules, {"ids": np.array([0, 1]), "scores": scores}, actual)
        assert found[0].suggestion == suggestion


def test_slices_have_a_scale_each_where_axes_were_asked_for():
    expected = np.array([[100.0, 1.0], [100.0, 1.0]])
    wrong = expected + np.array([0.0, 0.5])
    whole, by_column = (Rule("scaled", rtol=1e-2, note="fp32", axis=axis) for axis in ((), (1,)))
    assert compared({"y": whole}, {"y": expected}, {"y": wrong})[0].problem == ""
    assert compared({"y": by_column}, {"y": expected}, {"y": wrong})[0].problem.startswith("slice 1 of axis 1: ")
