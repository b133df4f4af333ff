"""What values were computed in, and the rule that follows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_navigator.comparison.computed import (
    Computed,
    calculated,
    converted,
    is_written,
    moved,
    names,
    read,
    result,
    settled,
)
from pytest_navigator.comparison.correctness import Comparison
from pytest_navigator.comparison.precisions import DEFAULTS, coarsest
from pytest_navigator.comparison.tolerances import ROUNDED, default

PRECISIONS = ["", "fp64", "fp32", "fp16", "bf16", "fp8"]
KNOWN = st.builds(Computed, st.sampled_from(PRECISIONS), st.sampled_from(["", "fp16", "bf16"]))
FP32, BF16, EXACT = Computed("fp32"), Computed("bf16"), Computed()


# The rules by which it is followed


@given(KNOWN)
def test_what_was_computed_survives_as_text(value):
    assert read(value.text) == value


@given(KNOWN, KNOWN)
def test_what_is_put_together_is_as_coarse_as_its_parts(a, b):
    both = moved((a, b))
    assert both == moved((b, a))
    assert both.total == coarsest(a.total, b.total)


@given(KNOWN, st.sampled_from(["float64", "float32", "float16", "bfloat16"]))
def test_a_conversion_never_brings_digits_back(value, dtype):
    assert coarsest(converted(value, dtype).total, value.total) == converted(value, dtype).total


@pytest.mark.parametrize(
    ("value", "dtype", "expected"),
    [
        (EXACT, "bfloat16", EXACT),
        (FP32, "bfloat16", Computed("fp32", "bf16")),
        (FP32, "float64", FP32),
        (BF16, "float32", BF16),
        (BF16, "float16", BF16),
        (Computed("fp32", "bf16"), "float32", Computed("fp32", "bf16")),
        (Computed("fp32", "fp16"), "bfloat16", Computed("fp32", "bf16")),
        (FP32, "int64", FP32),
        (FP32, "float8_e4m3fn", Computed("fp32", "fp8")),
    ],
)
def test_a_conversion_rounds_what_was_computed_and_nothing_else(value, dtype, expected):
    assert converted(value, dtype) == expected


def test_an_operation_computes_in_the_type_of_its_result_from_what_it_takes():
    assert calculated("float32", [EXACT, EXACT]) == FP32
    assert calculated("float32", [Computed("fp32", "bf16"), EXACT]) == BF16
    assert calculated("float64", [FP32]) == FP32


@pytest.mark.parametrize(
    ("kind", "dtype", "operands", "expected"),
    [
        ("mul", "float32", [(EXACT, "float32"), (EXACT, "bfloat16")], FP32),
        ("cat", "float32", [(FP32, "float32"), (BF16, "float32")], BF16),
        ("cat", "float32", [(EXACT, "float32")], EXACT),
        ("cast", "float32", [(BF16, "bfloat16")], BF16),
        ("cast", "int32", [(BF16, "bfloat16")], BF16),
        ("greater", "bool", [(BF16, "bfloat16")], EXACT),
        ("add", "int32", [(BF16, "int32")], BF16),
        ("zeros", "bfloat16", [], EXACT),
    ],
)
def test_every_kind_of_operation_passes_on_what_it_must(kind, dtype, operands, expected):
    assert result(kind, dtype, operands, {"cat"}, {"cast"}) == expected


# The rule of an output


@pytest.mark.parametrize(
    ("dtype", "computed", "precision", "note", "tolerance"),
    [
        ("float32", FP32, "", "fp32", DEFAULTS["fp32"][0]),
        ("float32", BF16, "", "bf16", DEFAULTS["bf16"][0]),
        ("float32", EXACT, "", "fp32", DEFAULTS["fp32"][0]),
        ("float32", Computed("fp64"), "", "fp32", DEFAULTS["fp32"][0]),
        ("float64", Computed("fp64"), "", "fp64", DEFAULTS["fp64"][0]),
        ("float64", FP32, "", "fp32", DEFAULTS["fp32"][0]),
        ("float64", EXACT, "", "fp64", DEFAULTS["fp64"][0]),
        ("bfloat16", FP32, "", "fp32 rounded to bf16", DEFAULTS["fp32"][0] + ROUNDED["bf16"]),
        ("float16", EXACT, "", "fp32 rounded to fp16", DEFAULTS["fp32"][0] + ROUNDED["fp16"]),
        ("bfloat16", BF16, "", "bf16", DEFAULTS["bf16"][0]),
        ("float32", Computed("fp32", "fp16"), "", "fp32 rounded to fp16", DEFAULTS["fp32"][0] + ROUNDED["fp16"]),
        ("float32", FP32, "fp16", "fp16", DEFAULTS["fp16"][0]),
        ("float32", EXACT, "fp16", "fp16", DEFAULTS["fp16"][0]),
        ("float16", FP32, "bf16", "bf16", DEFAULTS["bf16"][0]),
    ],
)
def test_an_output_is_judged_by_what_it_is_computed_in_and_by_its_own_type(dtype, computed, precision, note, tolerance):
    rule = default(dtype, precision, computed)
    assert (rule.note, rule.rtol) == (note, tolerance)


def problem(rule, expected, actual):
    comparison = Comparison({"y": rule})
    comparison.add(0, "batch", {"y": expected}, {"y": actual})
    return comparison.reports()[0].problem


def values(dtype, count=64):
    return np.random.default_rng(0).standard_normal(count).astype(dtype)


@pytest.mark.parametrize("computed", [FP32, Computed("fp64"), BF16, EXACT])
def test_a_float64_that_was_rounded_to_float32_fails_where_the_source_does_not_do_it(computed):
    rule, exact = default("float64", "", computed), values("float64")
    rounded = exact.astype(np.float32).astype(np.float64)
    assert problem(rule, exact, rounded)
    assert problem(rule, rounded, rounded.copy()) == ""
    assert problem(rule, exact, exact * (1 + 1e-15)) == ""


def test_a_float64_of_a_float32_model_is_judged_like_float32_where_it_has_digits_of_its_own():
    rule, exact = default("float64", "", FP32), values("float64")
    assert problem(rule, exact, exact * (1 + 1e-7)) == ""
    assert problem(rule, exact, exact * 1.05)


@pytest.mark.parametrize("low", ["float16", "bfloat16"])
def test_a_float32_that_was_rounded_to_half_of_it_fails_however_few_elements_there_are(low):
    import ml_dtypes

    rule, kind = default("float32", "", FP32), np.dtype(getattr(ml_dtypes, low, low))
    for value in (1.0002, 1.7, -3.1, 0.3333):
        exact = np.array([value], np.float32)
        assert problem(rule, exact, exact.astype(kind).astype(np.float32))


def test_a_value_next_to_a_round_one_was_not_rounded():
    almost = np.nextafter(np.ones(3, np.float32), np.float32(0))
    assert problem(default("float32", "", FP32), almost, np.ones(3, np.float32)) == ""
    assert problem(default("float64", "", FP32), np.full(3, 1 - 1e-15), np.ones(3)) == ""


def test_a_format_that_computes_in_less_may_round():
    exact = values("float32")
    for precision in ("fp16", "bf16", "tf32"):
        assert problem(default("float32", precision, FP32), exact, exact.astype(np.float16).astype(np.float32)) == ""


@pytest.mark.parametrize("order", [1, -1])
def test_what_is_put_together_has_the_coarser_one_of_each(order):
    values = [Computed("fp32", "bf16"), Computed("fp16", "fp16")][::order]
    assert moved(values) == Computed("fp16", "bf16")


@pytest.mark.parametrize(
    ("value", "text"),
    [(EXACT, ">"), (FP32, "fp32>"), (Computed("fp32", "bf16"), "fp32>bf16"), (Computed("", "fp8"), ">fp8")],
)
def test_what_was_computed_is_written_as_two_words(value, text):
    assert value.text == text
    assert read(text) == value
    assert is_written(text)


@pytest.mark.parametrize("text", ["", "fp32", "fp32>bf16>fp8", "fp31>", ">fp33", "XX>", "1.5", "float32>"])
def test_what_is_another_text_was_not_written_so(text):
    assert not is_written(text)


# Names and loops


def test_names_are_the_words_of_a_text():
    assert names("  add mul\n    add ") == {"add", "mul"}
    assert names("") == frozenset()


def test_a_loop_ends_with_what_three_rounds_have_passed_on():
    def step(state):
        return [BF16, *state[:-1]]

    assert settled(step, [EXACT] * 5) == [BF16, BF16, BF16, EXACT, EXACT]


def test_a_loop_keeps_what_it_started_with():
    assert settled(lambda state: [EXACT, *state[:1]], [FP32, EXACT]) == [FP32, FP32]


def test_a_loop_whose_body_makes_another_number_of_values_is_refused():
    with pytest.raises(ValueError):
        settled(lambda state: state[:1], [FP32, EXACT])
