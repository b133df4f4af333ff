"""Which place is blamed, from local errors alone."""

from __future__ import annotations

import math

import pytest

from pytest_navigator.comparison.divergence import (
    NOT_APPLICABLE,
    UNKNOWN,
    Divergence,
    Segment,
    first_divergence,
    line,
    no_divergence,
    text,
)
from pytest_navigator.comparison.stretches import Operation, stretch_of
from pytest_navigator.core.plain import plain, structured

RIGHT = [Segment(f"v{i}", "add", 1e-7 * (i % 3)) for i in range(9)]


def gelu(error: float = 1.8e-4, **more: float) -> Segment:
    return Segment("gelu_2", "gelu", error, module="layers.2.mlp", location="model.py:14", **more)


def test_of_right_values_none_is_blamed() -> None:
    assert first_divergence(RIGHT) is None


def test_the_first_wrong_value_is_blamed_with_what_it_is_times_the_next() -> None:
    found = first_divergence([*RIGHT, gelu(4.8e-5), *RIGHT])
    assert found is not None
    assert line(found) == "first divergence: layers.2.mlp gelu at model.py:14: 4.8e-5, 240 × the next"
    assert found.compared == 19


def test_the_first_one_in_the_order_of_the_graph_is_blamed_and_not_the_largest() -> None:
    found = first_divergence([*RIGHT, gelu(), *RIGHT, Segment("softmax", "softmax", 0.25)])
    assert found is not None
    assert found.operator == "gelu"
    assert found.others == ("softmax",)
    assert "also softmax" in line(found)


def test_two_wrong_values_of_three_do_not_excuse_each_other() -> None:
    found = first_divergence([gelu(0.1), gelu(0.1), Segment("c", "add", 1e-7)])
    assert found is not None
    assert found.value == "gelu_2"
    assert len(found.others) == 1


def test_the_only_value_there_is_can_be_blamed() -> None:
    found = first_divergence([gelu()])
    assert found is not None
    assert found.ratio is None
    assert "next" not in line(found)


@pytest.mark.parametrize("magnitude", [1e4, math.inf])
def test_a_large_value_may_be_off_by_more(magnitude: float) -> None:
    large = Segment("mask", "add", 1e-3 if magnitude < math.inf else 0.0, magnitude)
    assert first_divergence([*RIGHT, large]) is None


def test_what_computes_in_half_precision_may_be_off_by_its_own_rounding() -> None:
    assert first_divergence([gelu(5e-3, precision=2.0**-10), Segment("c", "add", 1e-3, precision=2.0**-10)]) is None
    assert first_divergence([gelu(5e-3), Segment("c", "add", 0.0)]) is not None


def test_values_of_other_shapes_are_infinitely_far_apart_and_that_is_blamed() -> None:
    found = first_divergence([*RIGHT, gelu(math.inf)])
    assert found is not None
    assert line(found) == "first divergence: layers.2.mlp gelu at model.py:14: inf, inf × the next"


def test_where_nothing_stands_out_the_largest_local_error_is_told() -> None:
    assert line(no_divergence(RIGHT)) == ("first divergence: no single place: the largest local error is 2e-7, v2 add")
    assert "no value" in line(no_divergence([]))


@pytest.mark.parametrize("verdict", [UNKNOWN, NOT_APPLICABLE])
def test_what_could_not_be_told_says_why(verdict: str) -> None:
    assert line(Divergence(verdict, reason="it took more than 60 s")) == "not diagnosed: it took more than 60 s"


def test_the_whole_text_has_the_shapes_and_the_script() -> None:
    found = Divergence(
        "export", "cut every edge", value="y", operator="gelu", inputs=("float32[2]",), output="float32[2]"
    )
    assert "  shapes: float32[2] -> float32[2]" in text(found)
    assert "again" not in text(found)


def test_a_divergence_survives_the_record() -> None:
    found = first_divergence([*RIGHT, gelu(math.inf)])
    assert structured(plain(found), Divergence) == found


def stretch(*operators: str) -> Segment:
    """A wrong value at the end of some operations, the nth of which is on line n."""
    made = stretch_of((Operation(name, f"model.py:{line}"), False) for line, name in enumerate(operators, start=1))
    return Segment("last", operators[-1], 1.0, module="scale", location=f"model.py:{len(operators)}", stretch=made)


@pytest.mark.parametrize(
    ("operators", "place"),
    [
        (["mul", "abs", "div"], "scale (mul model.py:1, abs :2, div :3)"),
        (["div"], "scale div at model.py:1"),
        (["mul", *["sin"] * 98, "div"], "scale (100 operators, mul model.py:1 to div :100)"),
    ],
)
def test_where_several_operations_can_be_wrong_none_of_them_is_blamed_alone(operators: list[str], place: str) -> None:
    found = first_divergence([*RIGHT, stretch(*operators)])
    assert found is not None
    assert f"first divergence: {place}: " in line(found)
    assert len(found.stretch) == min(len(operators), 32) * (len(operators) > 1)
    assert structured(plain(found), Divergence) == found


def test_operations_of_one_line_are_told_together_and_constants_not_beside_others() -> None:
    operations = [(Operation("scalar_tensor", "a.py:1"), True), (Operation("mul", "a.py:1"), False)]
    assert stretch_of(operations) == ()
    made = stretch_of([*operations, (Operation("add", "a.py:1"), False), (Operation("full", "b.py:2"), True)])
    assert Segment("v", "full", 1.0, stretch=made).place == "the model itself (mul+add a.py:1, full b.py:2)"
