"""What people read of a comparison: the line of a failure, the table below it, the word of their own function."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_navigator.comparison.correctness import failure_line, judge, table
from pytest_navigator.comparison.verdicts import percent, where
from pytest_navigator.core.records import OutputReport

INF = float("inf")


def report(name="y", atol=0.5, *, problem="", used="atol 1e-3", suggestion="", mismatched=0, total=4, **more):
    return OutputReport(
        name, atol, 0.25, used=used, problem=problem, suggestion=suggestion, mismatched=mismatched, total=total, **more
    )


# The line


def test_the_worst_output_of_each_reason_is_told_and_the_others_are_counted():
    reports = [
        report("few", problem="max abs 0.1 (sample 0, [1]) > atol 1e-3", mismatched=1),
        report("many", problem="max abs 0.2 (sample 0) > atol 1e-3", mismatched=4),
        report("fine"),
        report("share", problem="share of equal elements 0.5 < 0.9", mismatched=2),
    ]
    assert failure_line(reports) == (
        "many: max abs 0.2 (sample 0) > atol 1e-3; share: share of equal elements 0.5 < 0.9; and 1 more output"
    )


def test_an_output_that_is_not_finite_is_worse_than_any_other():
    reports = [
        report("all", problem="max abs 9 > atol 1", mismatched=4),
        report("nan", INF, problem="nan where the source has 1 (sample 0)", mismatched=1),
    ]
    assert failure_line(reports) == "nan: nan where the source has 1 (sample 0); all: max abs 9 > atol 1"


def test_how_bad_an_output_is_is_the_part_of_its_elements_that_is_wrong():
    reports = [
        report("large", problem="max abs 1 > atol 0", mismatched=10, total=1000),
        report("small", problem="max abs 2 > atol 0", mismatched=2, total=4),
    ]
    assert failure_line(reports) == "small: max abs 2 > atol 0; and 1 more output"


def test_an_output_of_one_element_is_as_bad_as_it_is():
    reports = [
        report("most", problem="max abs 1 > atol 0", mismatched=3, total=4),
        report("one", problem="max abs 2 > atol 0", mismatched=1, total=1),
    ]
    assert failure_line(reports).startswith("one: ")


def test_an_output_without_elements_is_not_counted_as_bad():
    reports = [
        report("first", problem="max abs 1 > atol 0", mismatched=0, total=0),
        report("wrong", problem="max abs 2 > atol 0", mismatched=1, total=4),
    ]
    assert failure_line(reports).startswith("wrong: ")


@pytest.mark.parametrize("kind", ["max abs", "share", "cosine", "slice"])
def test_outputs_with_another_figure_have_the_same_reason(kind):
    reports = [report("a", problem=f"{kind} 0.1 < 3"), report("b", problem=f"{kind} 0.2 < 3")]
    assert failure_line(reports) == f"a: {kind} 0.1 < 3; and 1 more output"


def test_outputs_that_are_wrong_elsewhere_have_the_same_reason():
    reports = [
        report("a", problem="int32 where the source has int64 (sample 4 at batch 1, [2,17])"),
        report("b", problem="int32 where the source has int64"),
        report("c", problem="int32 where the source has int64 (sample 0) "),
    ]
    assert failure_line(reports) == (
        "a: int32 where the source has int64 (sample 4 at batch 1, [2,17]); "
        "c: int32 where the source has int64 (sample 0) ; and 1 more output"
    )


def test_other_reasons_stand_beside_it_three_at_most():
    reports = [report(name, problem=f"reason {name}") for name in "abcde"]
    assert failure_line(reports) == "a: reason a; b: reason b; c: reason c; and 2 more outputs"


def test_a_tolerance_that_would_pass_is_named_without_repeating_what_kind_it_is():
    wrong = report(problem="max abs 0.5 > atol 1e-3", suggestion="atol 0.6")
    assert failure_line([wrong]) == "y: max abs 0.5 > atol 1e-3; 0.6 would pass"


def test_a_pair_that_would_pass_is_named_in_full():
    wrong = report(problem="max abs 0.5 > atol 1e-3", suggestion="atol 0.6 and rtol 1e-2")
    assert failure_line([wrong]) == "y: max abs 0.5 > atol 1e-3; atol 0.6 and rtol 1e-2 would pass"


@pytest.mark.parametrize(
    ("suggestion", "used"), [("atol 0.6", "equal"), ("share(0.9)", "share of equal elements >= 1")]
)
def test_another_rule_that_would_pass_is_named_in_full(suggestion, used):
    line = failure_line([report(problem="wrong", used=used, suggestion=suggestion)])
    assert line == f"y: wrong; {suggestion} would pass"


# The table


def test_the_table_has_columns_and_what_would_pass():
    reports = [
        report(
            "logits", 0.5, problem="max abs 0.5", mismatched=2, suggestion="atol 0.6", sample=4, case="row", index=(2,)
        ),
        report("y", 0.0, used="equal", total=40),
        report("long name", INF, problem="no", used="equal", mismatched=40, total=40, sample=0, case="batch"),
    ]
    assert table(reports).splitlines() == [
        "output     max abs  max rel  where                     outside      rule       would pass",
        "logits     0.5      0.25     sample 4 at batch 1, [2]  50 % of 4    atol 1e-3  atol 0.6",
        "y          0        0.25                               0 % of 40    equal      passed",
        "long name  inf      0.25     sample 0                  100 % of 40  equal      nothing",
        "logits: max abs 0.5",
        "long name: no",
    ]


def test_one_failure_is_not_told_twice():
    assert table([report(problem="no"), report("z")]).splitlines()[-1].startswith("z ")


# Places and shares


@pytest.mark.parametrize(
    ("place", "text"),
    [
        (None, ""),
        ((4, "batch", (2, 17)), " (sample 4, [2,17])"),
        ((4, "row", ()), " (sample 4 at batch 1)"),
        ((0, "row", (0,)), " (sample 0 at batch 1, [0])"),
    ],
)
def test_a_place_is_a_sample_a_kind_of_batch_and_an_index(place, text):
    assert where(place) == text


@pytest.mark.parametrize(
    ("part", "total", "text"),
    [
        (0, 0, "0 %"),
        (0, 7, "0 %"),
        (1, 0, "100 %"),
        (1, 1, "100 %"),
        (1, 3, "33 %"),
        (1, 16, "6.2 %"),
        (1, 1000, "0.1 %"),
        (1, 1001, "<0.1 %"),
        (99, 100, "99 %"),
        (994, 1000, "99 %"),
        (995, 1000, "100 %"),
        (1, 2, "50 %"),
    ],
)
def test_a_share_has_two_digits(part, total, text):
    assert percent(part, total) == text


# The user's own function


class Near:
    def __call__(self, expected, actual):
        return self.answer

    def __init__(self, answer=False):
        self.answer = answer


def fails(expected, actual):
    raise AssertionError


def tells(expected, actual):
    raise AssertionError("\n  \n  0.2 is too much  \nmore")


def differs(expected, actual):
    return bool(expected[0] == actual[0])


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (Near(None), ""),
        (Near(True), ""),
        (Near(np.True_), ""),
        (Near(""), ""),
        (Near("too far"), "too far"),
        (Near(), "Near returned False"),
        (Near(np.False_), "Near returned False"),
        (differs, "differs returned False"),
        (fails, "AssertionError in fails"),
        (tells, "0.2 is too much"),
        (Near(0.5), "Near returned 0.5; a comparison returns a bool, None or the reason of the failure"),
        (Near(0), "Near returned 0; a comparison returns a bool, None or the reason of the failure"),
    ],
)
def test_a_function_is_named_with_what_it_says(function, reason):
    assert judge(function, np.zeros(2), np.ones(2)) == reason


def test_a_function_gets_the_source_first():
    seen = []
    judge(lambda expected, actual: seen.append((expected, actual)), np.zeros(1), np.ones(1))
    assert seen == [(0.0, 1.0)]


def test_an_error_of_a_function_is_its_own():
    with pytest.raises(ZeroDivisionError):
        judge(lambda expected, actual: 1 / 0, np.zeros(1), np.ones(1))
