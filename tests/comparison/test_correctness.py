from __future__ import annotations

import random
import re

import ml_dtypes
import numpy as np
import pytest
from documents import ROOT, blocks
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from pytest_navigator.comparison import measures
from pytest_navigator.comparison.correctness import Comparison, failure_line, judge, table
from pytest_navigator.comparison.precisions import DEFAULTS
from pytest_navigator.comparison.suggestions import round_up
from pytest_navigator.comparison.tolerances import Rule, cosine, default, share, unchecked
from pytest_navigator.configuration.config import NavConfig
from pytest_navigator.core.plain import plain, structured
from pytest_navigator.core.records import OutputReport

DTYPES = [
    "float64",
    "float32",
    "float16",
    "bfloat16",
    "float8_e4m3fn",
    "complex64",
    "complex128",
    "bool",
    "uint8",
    "int8",
]
DTYPES += ["int64", "uint64", "int4", "<U3", "object", ">f4", ">i4"]
FP32 = DEFAULTS["fp32"][0]


def close(atol=0.0, rtol=0.0):
    return Rule("close", atol=atol, rtol=rtol, explained=5e-3)


def compare(rule, *cases):
    """Compare (expected, actual) pairs of one output; the first is sample 0."""
    comparison = Comparison({"y": rule})
    for sample, (expected, actual) in enumerate(cases):
        comparison.add(sample, "batch", {"y": np.asarray(expected)}, {"y": np.asarray(actual)})
    (report,) = comparison.reports()
    return report


def values(dtype, count=12):
    numbers = np.random.default_rng(0).integers(0, 7, count)
    return numbers.astype(str).astype(dtype) if np.dtype(dtype).kind in "UO" else numbers.astype(dtype)


def floats(dtype=np.float64, largest=1e6):
    shapes = npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5)
    elements = st.floats(-largest, largest, width=8 * np.dtype(dtype).itemsize, allow_subnormal=False)
    return npst.arrays(dtype, shapes, elements=elements)


# Every type


@pytest.mark.parametrize("dtype", DTYPES)
def test_an_array_equals_itself(dtype):
    report = compare(default(np.dtype(dtype).name), (values(dtype), values(dtype)))
    assert (report.problem, report.atol, report.rtol, report.mismatched, report.total) == ("", 0.0, 0.0, 0, 12)


@pytest.mark.parametrize("dtype", DTYPES)
def test_one_wrong_element_fails_and_is_named(dtype):
    wrong = values(dtype)
    wrong[7] = wrong[7] == 0 if np.dtype(dtype).kind == "b" else wrong[np.argmax(wrong != wrong[7])]
    report = compare(default(np.dtype(dtype).name), (values(dtype), values(dtype)), (values(dtype), wrong))
    assert report.problem
    assert (report.sample, report.index, report.mismatched, report.total) == (1, (7,), 1, 24)


@pytest.mark.parametrize(
    ("dtype", "expected", "actual", "difference"),
    [
        ("uint8", 0, 255, 255),
        ("uint8", 255, 0, 255),
        ("int8", -128, 127, 255),
        ("int64", -(2**63), 2**63 - 1, 2.0**64),
        ("int64", 2**62, 2**62 + 1, 1),
        ("uint64", 2**64 - 1, 0, 2.0**64),
        ("bool", True, False, 1),
        ("int4", -8, 7, 15),
    ],
)
def test_integers_do_not_overflow(dtype, expected, actual, difference):
    report = compare(Rule("equal"), (np.array([expected], dtype), np.array([actual], dtype)))
    assert (report.atol, report.mismatched) == (difference, 1)
    assert report.rtol == (difference / abs(int(expected)) if expected else np.inf)


def test_a_float32_difference_beyond_float32_is_measured():
    top = np.finfo(np.float32).max
    report = compare(close(1.0), (np.array([top]), np.array([-top])))
    assert report.atol == 2 * float(top)


@pytest.mark.parametrize("large", [1e150, 1e200, 1e308])
def test_differences_whose_squares_are_no_float64_are_measured(large):
    spread = measures.spread(np.array([large, 1.0]), np.array([large * 1.01, 1.0]))

    assert spread.mean == pytest.approx(large * 0.005)
    assert np.isfinite(spread.std)
    assert max(spread.rtols) == pytest.approx(0.01)


def test_a_small_float_type_is_compared_as_a_wider_one():
    expected = np.array([1.0, 2.0], ml_dtypes.bfloat16)
    report = compare(close(0.01), (expected, expected + np.array([0, 2**-6], ml_dtypes.bfloat16)))
    assert (report.atol, report.rtol, report.index) == (2**-6, 2**-7, (1,))


def test_text_is_the_same_in_another_numpy_type():
    report = compare(Rule("equal"), (np.array(["a", "bc"]), np.array(["a", "bc"], object)))
    assert report.problem == ""


@pytest.mark.parametrize("rule", [default("float32"), close(1e-3), share(0.9), cosine(0.9), unchecked("why")])
def test_an_empty_tensor_equals_an_empty_tensor(rule):
    report = compare(rule, (np.zeros((0, 3), np.float32), np.zeros((0, 3), np.float32)))
    assert (report.problem, report.total) == ("", 0)


def test_a_scalar_has_a_sample_but_no_index():
    report = compare(close(1e-3), (np.float32(1.0), np.float32(1.5)))
    assert report.index == ()
    assert failure_line([report]).startswith("y: max abs 0.5 (sample 0) > atol 1e-3; 100 % of elements")


def test_arrays_larger_than_a_block_keep_their_indices():
    expected = np.zeros((3, measures.BLOCK), np.float32)
    actual = expected.copy()
    actual[2, 5] = 1
    report = compare(close(0.5), (expected, actual))
    assert (report.index, report.mismatched, report.total) == ((2, 5), 1, expected.size)


def test_arrays_may_have_any_strides():
    expected = np.arange(12.0).reshape(3, 4).T
    actual = np.ascontiguousarray(expected)
    actual[3, 1] += 1
    report = compare(close(0.5), (expected, actual))
    assert (report.atol, report.index) == (1.0, (3, 1))


# What fails whatever the rule


RULES = [
    default("float32"),
    close(1e9, 1e9),
    Rule("equal"),
    share(1e-9),
    cosine(1e-9),
    unchecked("x"),
    Rule("function"),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.kind)
@pytest.mark.parametrize(
    ("expected", "actual", "problem"),
    [
        (np.ones((1, 3), np.float32), np.ones(3, np.float32), "shape (3,) where the source has (1,3) (sample 0)"),
        (np.ones(3, np.float32), np.ones((1, 3), np.float32), "shape (1,3) where the source has (3,) (sample 0)"),
        (np.ones(3, np.float32), np.float32(1), "shape () where the source has (3,) (sample 0)"),
        (np.ones(3, np.float32), np.ones(3), "float64 where the source has float32 (sample 0)"),
        (np.ones(3, np.float32), np.ones(3, np.int32), "int32 where the source has float32 (sample 0)"),
        (np.ones(3, np.float32), np.array([1, 2, np.nan], np.float32), "nan where the source has 1.0 (sample 0, [2])"),
        (np.ones(3, np.float32), np.array([1, np.inf, 2], np.float32), "inf where the source has 1.0 (sample 0, [1])"),
        (np.array([1, np.nan], np.float32), np.ones(2, np.float32), "1.0 where the source has nan (sample 0, [1])"),
        (np.array([1, np.inf]), np.array([1, -np.inf]), "-inf where the source has inf (sample 0, [1])"),
        (np.array([np.inf]), np.array([np.nan]), "nan where the source has inf (sample 0, [0])"),
    ],
    ids=str,
)
def test_another_shape_type_nan_or_infinity_fails_under_every_rule(rule, expected, actual, problem):
    assert compare(rule, (expected, actual)).problem == problem


@pytest.mark.parametrize("rule", [*RULES, close(0.0)], ids=lambda rule: rule.text)
def test_nan_and_infinity_where_the_source_has_them_are_equal(rule):
    array = np.array([1, np.nan, np.inf, -np.inf, 0], np.float32)
    report = compare(rule, (array, array.copy()))
    assert (report.problem, report.atol, report.rtol) == ("", 0.0, 0.0)


def test_another_floating_type_is_measured_all_the_same():
    report = compare(close(1e-3), (np.ones(3, np.float32), np.full(3, 1.25)))
    assert (report.problem[:7], report.atol) == ("float64", 0.25)


@pytest.mark.parametrize(
    ("actual", "line"),
    [
        ({"y": np.ones(2)}, "z: the format does not return this output (sample 0)"),
        (
            {"y": np.ones(2), "z": np.ones(2), "output__2": np.ones(2)},
            "output__2: the source has no such output (it has: y",
        ),
        ({}, "y: the format does not return this output (sample 0); and 1 more output"),
    ],
    ids=["fewer", "more", "none"],
)
def test_another_number_of_outputs_fails(actual, line):
    comparison = Comparison({"y": unchecked("x"), "z": unchecked("x")})
    comparison.add(0, "batch", {"y": np.ones(2), "z": np.ones(2)}, actual)
    assert failure_line(comparison.reports()).startswith(line)


def test_nothing_compared_is_a_failure():
    assert failure_line(Comparison({"y": close(1)}).reports()) == "y: no case was compared"


# The measured tolerance


def test_zero_beside_zero_has_no_relative_error_and_zero_beside_another_an_infinite_one():
    assert compare(close(1), ([0.0, 2.0], [0.0, 3.0])).rtol == 0.5
    assert compare(close(1), ([0.0, 2.0], [0.5, 2.0])).rtol == np.inf


@given(st.data(), floats())
def test_the_measured_tolerance_is_the_naive_one(data, expected):
    actual = data.draw(npst.arrays(np.float64, expected.shape, elements=st.floats(-1e6, 1e6)))
    report = compare(default("float64"), (expected, actual))
    difference = [abs(float(a) - float(e)) for e, a in zip(expected.flat, actual.flat, strict=True)]
    with np.errstate(all="ignore"):
        relative = [d and float(np.divide(d, abs(e))) for d, e in zip(difference, expected.flat, strict=True)]
    assert (report.atol, report.rtol) == (max(difference, default=0.0), max(relative, default=0.0))
    if expected.size:
        assert abs(actual[report.index] - expected[report.index]) == report.atol


@given(st.data(), floats(np.float32), st.sampled_from([0.0, 1e-6, 1e-3, 1.0]), st.sampled_from([0.0, 1e-3, 0.5]))
def test_close_is_numpys_isclose(data, expected, atol, rtol):
    noise = data.draw(npst.arrays(np.float32, expected.shape, elements=st.floats(-2, 2, width=32)))
    actual = expected + noise
    report = compare(close(atol, rtol), (expected, actual))
    agreed = np.isclose(actual.astype(np.float64), expected.astype(np.float64), rtol=rtol, atol=atol)
    assert report.mismatched == np.count_nonzero(~agreed)
    assert (report.problem == "") == bool(agreed.all())


@given(floats(np.float32), st.floats(1e-6, 1e3), st.sampled_from([0.98, 1.02]), st.randoms(use_true_random=False))
def test_a_perturbation_fails_just_above_the_tolerance_and_passes_just_below(expected, atol, factor, rng):
    assume(expected.size)
    wide = expected.astype(np.float64)
    wide.flat[rng.randrange(expected.size)] += factor * atol
    assume(np.isclose(np.abs(wide - expected).max(), factor * atol, rtol=1e-3))
    assert bool(compare(close(atol), (expected.astype(np.float64), wide)).problem) == (factor > 1)


@given(st.lists(st.tuples(floats(np.float32, 100), st.sampled_from([0, 1e-6, 1e-4, 1e-2, 1])), min_size=1, max_size=5))
@pytest.mark.parametrize("rule", [default("float32"), close(1e-4, 1e-3), share(0.5)], ids=lambda rule: rule.kind)
def test_the_order_of_the_cases_does_not_matter(rule, drawn):
    cases = [(n, kind, e, e + np.float32(noise)) for n, (e, noise) in enumerate(drawn) for kind in ("batch", "row")]
    found = []
    for order in (cases, cases[::-1], random.Random(0).sample(cases, len(cases))):
        comparison = Comparison({"y": rule})
        for sample, kind, expected, actual in order:
            comparison.add(sample, kind, {"y": expected}, {"y": actual})
        found.append(comparison.reports())
    assert found[0] == found[1] == found[2]


# The default: relative to the output's scale


@given(floats(np.float32))
def test_identity_passes_the_default(expected):
    assert compare(default("float32"), (expected, expected.copy())).problem == ""


def normal(*shape, scale=1.0):
    return (np.random.default_rng(0).standard_normal(shape) * scale).astype(np.float32)


@pytest.mark.parametrize("precision", DEFAULTS)
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_the_default_catches_what_is_wrong_at_every_scale_and_precision(precision, scale):
    rule = default("float32", precision)
    # Noise is judged over all elements: of one row in dozens, the others say too little.
    expected = normal(20 if rule.kind == "snr" else 64, 10, scale=scale)
    one_row = expected.copy()
    one_row[17] = expected[18]
    wrong = {
        "factor": expected * 1000,
        "batch": expected * 64,
        "branch": -expected,
        "row": one_row,
        "zero": expected * 0,
    }
    for name, actual in wrong.items():
        assert compare(rule, (expected, actual)).problem, name
    assert compare(rule, (expected, one_row)).index[0] == 17


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_the_default_grows_with_the_output(scale):
    expected = normal(64, 10, scale=scale)
    off = np.float32(scale) * np.sign(normal(64, 10))
    assert compare(default("float32"), (expected, expected + off * np.float32(FP32 / 2))).problem == ""
    assert compare(default("float32"), (expected, expected + off * np.float32(FP32 * 8))).problem


@pytest.mark.parametrize("huge", [1e6, 1e30, np.finfo(np.float32).min, np.inf])
def test_one_huge_element_does_not_excuse_the_others(huge):
    expected = normal(64, 10)
    expected[3, 3] = huge
    actual = expected.copy()
    actual[5, 5] += 0.01
    report = compare(default("float32"), (expected, actual))
    assert (report.index, report.mismatched) == ((5, 5), 1)


def test_a_mask_over_most_elements_does_not_excuse_the_others():
    expected = normal(64, 10)
    expected[:, 2:] = np.finfo(np.float32).min
    actual = expected.copy()
    actual[5, 1] += 0.01
    assert compare(default("float32"), (expected, actual)).index == (5, 1)


def test_probabilities_are_judged_beside_the_largest_one():
    expected = np.full((4, 1000), 1e-9, np.float32)
    expected[:, 0] = 1
    assert compare(default("float32"), (expected, expected + np.float32(1e-6))).problem == ""
    assert compare(default("float32"), (expected, expected + np.float32(1e-3))).problem


@pytest.mark.parametrize(("noise", "fails"), [(FP32 / 2, False), (FP32 * 2, True)])
def test_an_output_that_is_zero_everywhere_is_judged_as_if_of_scale_one(noise, fails):
    zeros = np.zeros((4, 5), np.float32)
    assert bool(compare(default("float32"), (zeros, zeros + np.float32(noise))).problem) == fails


def test_a_flushed_subnormal_number_passes():
    expected = np.full(5, 1e-40, np.float32)
    assert compare(default("float32"), (expected, expected * 0)).problem == ""


def test_the_scale_is_that_of_all_cases():
    small = (np.full((1, 1), 1e-3, np.float32), np.full((1, 1), 1e-3 + FP32 / 2, np.float32))
    large = (np.full((1, 1), 0.9, np.float32),) * 2
    assert compare(default("float32"), small).problem
    assert compare(default("float32"), small, large).problem == ""


def test_the_elements_outside_of_the_default_are_counted():
    expected = np.ones(1000, np.float32)
    actual = expected.copy()
    actual[:120] += 0.01
    report = compare(default("float32"), (expected, actual))
    assert (report.mismatched, report.total) == (120, 1000)


# Comparisons of another kind


def test_a_share_is_of_all_cases_together():
    expected, actual = np.arange(10), np.arange(10)
    actual[0] = 99
    assert compare(share(0.95), (expected, actual), (expected, expected)).problem == ""
    report = compare(share(0.96), (expected, actual), (expected, expected))
    assert failure_line([report]) == ("y: share of equal elements 0.95 < 0.96; largest difference 99 (sample 0, [0])")


def test_a_cosine_is_of_each_case():
    good, bad = (np.array([1.0, 0.0]), np.array([2.0, 0.0])), (np.array([1.0, 0.0]), np.array([1.0, 1.0]))
    assert compare(cosine(1.0), good).problem == ""
    assert compare(cosine(0.9), *[good] * 20, bad).problem.startswith("cosine 0.7071 < 0.9")


@pytest.mark.parametrize(("actual", "fails"), [([0.0, 0.0], False), ([0.0, 1e-9], True)])
def test_a_vector_of_zeros_has_a_cosine_with_nothing_but_itself(actual, fails):
    assert bool(compare(cosine(0.9), ([0.0, 0.0], actual)).problem) == fails


@given(floats())
def test_an_array_has_the_cosine_one_with_itself(expected):
    assert compare(cosine(1.0), (expected, expected.copy())).problem == ""


@pytest.mark.parametrize("rule", [unchecked("sampled"), Rule("function", note="near")], ids=lambda rule: rule.kind)
def test_what_is_not_judged_here_is_measured_and_says_so(rule):
    report = compare(rule, ([1.0, 2.0], [9.0, 2.0]))
    assert (report.problem, report.atol, report.used) == ("", 8.0, rule.text)


def asserts(expected, actual):
    assert expected.shape == (1,), "expected one element\nand more"


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (lambda e, a: None, ""),
        (lambda e, a: True, ""),
        (lambda e, a: np.bool_(True), ""),
        (lambda e, a: "", ""),
        (lambda e, a: "too far", "too far"),
        (lambda e, a: (e == a).all(), "returned False"),
        (lambda e, a: 0.5, "returned 0.5; a comparison returns a bool, None or the reason of the failure"),
        (asserts, "expected one element"),
        (lambda e, a: np.testing.assert_allclose(a, e), "Not equal to tolerance rtol=1e-07, atol=0"),
    ],
    ids=["none", "true", "numpy true", "no reason", "reason", "false", "number", "assertion", "numpy"],
)
def test_a_function_says_whether_and_why_it_failed(function, reason):
    found = judge(function, np.zeros(2), np.ones(2))
    assert found.endswith(reason)
    assert bool(found) == bool(reason)


def of_the_page(output):
    """Return the comparison function that docs/tolerances.md shows for an output."""
    page = blocks((ROOT / "docs" / "tolerances.md").read_text(encoding="utf-8"), "python")
    (shown,) = (block for block in page if f'{{"{output}": ' in block.text and "def " in block.text)
    names = {"NavConfig": NavConfig}
    exec(compile(shown.text, "tolerances.md", "exec"), names)
    return names["nav_config"].comparisons[output]


def test_the_page_on_tolerances_shows_how_infinity_is_compared():
    expected = np.array([1.0, -np.inf, 3.0])
    assert judge(of_the_page("logits"), expected, expected + 1e-6) == ""
    assert judge(of_the_page("logits"), expected, expected + 1e-2)
    assert judge(of_the_page("logits"), expected, np.array([1.0, 2.0, 3.0]))


def test_the_page_on_tolerances_shows_what_one_scale_for_boxes_and_scores_lets_pass():
    drawn = np.random.default_rng(0)
    parts = drawn.uniform(0, 640, (1, 300, 4)), drawn.uniform(0, 1, (1, 300, 2))
    expected = np.concatenate(parts, -1).astype(np.float32)
    wrong = expected.copy()
    wrong[..., 4:] += 0.015
    comparison = Comparison({"detections": default("float32")})
    comparison.add(0, "batch", {"detections": expected}, {"detections": wrong})
    (report,) = comparison.reports()
    assert (report.problem, report.used) == ("", "1e-4 of (|value| + 170) (fp32 default)")
    assert judge(of_the_page("detections"), expected, expected + 1e-5) == ""
    assert judge(of_the_page("detections"), expected, wrong)


# Suggestions and text


@given(st.data(), floats(np.float32, 1e3), st.sampled_from([1e-9, 1e-6, 1e-4]), st.sampled_from([0.0, 1e-6]))
def test_a_suggested_tolerance_passes(data, expected, atol, rtol):
    noise = data.draw(npst.arrays(np.float32, expected.shape, elements=st.floats(-1, 1, width=32)))
    case = (expected, expected + noise * np.float32(data.draw(st.sampled_from([1e-5, 1e-3, 1e-1]))))
    suggestion = compare(close(atol, rtol), case).suggestion
    assume(suggestion)
    parts = {name: float(value) for name, value in re.findall(r"(atol|rtol) (\S+)", suggestion)}
    assert compare(close(**parts), case).problem == ""


@pytest.mark.parametrize(
    ("expected", "actual", "atol"), [(1e-300, 1e6, 1e6), (0.0, 5e-324, 5e-324), (1e308, -1e308, np.inf)]
)
def test_the_extremes_of_float64_are_reported_without_a_suggestion_that_cannot_hold(expected, actual, atol):
    for rule in (default("float64"), close(0.0)):
        report = compare(rule, ([expected, 1.0], [actual, 1.0]))
        assert report.atol == atol
        assert "inf" not in report.suggestion


@given(st.floats(1e-30, 1e30))
def test_a_round_number_is_above_but_at_most_twice_the_value(value):
    assert value < round_up(value) <= 2 * value * (1 + 1e-8)


def test_model_navigators_search_is_used_where_it_is_tighter():
    expected = np.full(1000, 10.0)
    actual = expected + 1e-4
    actual[0] += 0.03
    assert compare(close(1e-5), (expected, actual)).suggestion == "atol 1e-3 and rtol 4e-3"


def test_a_wrong_result_gets_no_suggestion_but_the_size_of_the_output():
    report = compare(close(1e-3), ([1.0, 2.0], [1000.0, 2000.0]))
    assert failure_line([report]) == (
        "y: max abs 2e3 (sample 0, [1]) > atol 1e-3; 100 % of elements; the source's largest value is 2"
    )


def failing():
    comparison = Comparison({"logits": close(1e-3), "pooled": close(1e-3), "ids": Rule("equal")})
    expected = {"logits": normal(8, 25), "pooled": normal(8, 4), "ids": np.arange(8)}
    expected["logits"][2, 17] = 0.01
    actual = {name: array.copy() for name, array in expected.items()}
    actual["logits"].flat[:24] += 2e-3
    actual["logits"][2, 17] += np.float32(3.1e-3)
    for sample in (3, 4):
        comparison.add(sample, "batch", expected, actual if sample == 4 else expected)
    return comparison


def test_a_failure_is_one_line():
    assert failure_line(failing().reports()) == (
        "logits: max abs 3.1e-3 (sample 4, [2,17]) > atol 1e-3; 6.2 % of elements; 4e-3 would pass"
    )


def test_a_row_is_named_as_such_and_other_outputs_are_counted():
    comparison = Comparison({name: close(1e-3, 1e-3) for name in "abc"})
    ones = {name: np.ones((1, 4)) for name in "abc"}
    comparison.add(4, "row", ones, {"a": ones["a"] + 0.01, "b": ones["b"] + [0, 0, 0, 0.01], "c": ones["c"] + 0.02})
    line = failure_line(comparison.reports())
    assert "(sample 4 at batch 1, [0,0]), max rel" in line
    assert "outside atol 1e-3, rtol 1e-3; 100 % of elements" in line
    assert line.endswith("; and 2 more outputs")


def test_no_failure_is_no_line():
    assert failure_line([compare(close(1), ([1.0], [1.0]))]) == ""


def test_the_table_has_a_line_per_output():
    lines = table(failing().reports()).splitlines()
    assert lines[0].split("  ")[0] == "output"
    assert [line.split()[0] for line in lines[1:]] == ["logits", "pooled", "ids"]
    assert re.search(r"3\.1e-3 .*sample 4, \[2,17\] +6\.2 % of 400 +atol 1e-3 +atol 4e-3$", lines[1])
    assert lines[2].endswith("passed")


def test_reports_survive_as_plain_data():
    for report in failing().reports():
        assert structured(plain(report), OutputReport) == report
