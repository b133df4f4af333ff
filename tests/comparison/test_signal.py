"""The ratio of signal to noise and the cosine of an output, and the rule that judges by them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from pytest_navigator.comparison.correctness import Comparison, failure_line
from pytest_navigator.comparison.precisions import SIGNAL
from pytest_navigator.comparison.signal import Signal
from pytest_navigator.comparison.tolerances import Rule, default, resolve, snr
from pytest_navigator.core.records import OutputReport, TensorSpec

ARRAYS = npst.arrays(np.float32, npst.array_shapes(max_dims=2, max_side=5), elements=st.floats(-1e3, 1e3, width=32))
NOISY = np.array([[1.0, 2.0, 3.0, 4.0]], np.float32)


def of(*pairs: tuple[object, object]) -> Signal:
    found = Signal()
    for expected, actual in pairs:
        found.add(np.asarray(expected, np.float32), np.asarray(actual, np.float32))
    return found


def report(rule: Rule, *pairs: tuple[object, object]) -> OutputReport:
    comparison = Comparison({"y": rule})
    for sample, (expected, actual) in enumerate(pairs):
        comparison.add(sample, "batch", {"y": np.asarray(expected)}, {"y": np.asarray(actual)})
    return comparison.reports()[0]


@pytest.mark.parametrize(
    ("pairs", "decibels", "cosine"),
    [
        ([([3, 4], [3, 4])], math.inf, 1.0),
        ([([10, 0], [10, 1])], 20.0, 10 / 101**0.5),
        ([([3, 4], [-3, -4])], -6.0206, -1.0),
        ([([3, 4], [0, 0])], 0.0, 0.0),
        # 0 everywhere counts as 1 everywhere, and has no direction.
        ([([0, 0], [0.1, 0.1])], 20.0, 1.0),
        ([([0, 0], [0, 0])], math.inf, 1.0),
        # Over all comparisons: a small one beside large ones has noise of any direction.
        ([([10, 10], [10, 10]), ([0.01, 0.01], [-0.01, 0.01])], 56.99, 1.0),
        # A constant.
        ([([5, 5, 5], [5, 5, 5.5])], 24.77, 15.5 / 3**0.5 / 80.25**0.5),
        # One element has a sign and no direction: all comparisons are one vector.
        ([([10], [10]), ([-0.1], [0.1])], 33.98, 0.9998),
        ([([10], [-10])], -6.0206, 1.0),
        # What is not finite in both is no noise: it fails, or is equal, by itself.
        ([([1, np.nan, np.inf], [1, np.nan, np.inf])], math.inf, 1.0),
        ([([1, 2, np.inf], [1, np.nan, 3])], math.inf, 1.0),
        ([(np.zeros((0, 3)), np.zeros((0, 3)))], math.inf, 1.0),
    ],
)
def test_signal_and_noise_are_added_up_over_all_comparisons(pairs, decibels, cosine):
    assert of(*pairs).snr() == pytest.approx(decibels, abs=0.01)
    assert of(*pairs).cosine() == pytest.approx(cosine, abs=1e-4)


@given(ARRAYS, st.floats(0.25, 8), st.integers(-20, 20))
def test_noise_is_relative_to_the_signal_whatever_its_unit(expected, part, exponent):
    actual = (expected * np.float32(1 + 1 / 2**part)).astype(np.float32)
    once, scaled = of((expected, actual)), of((expected * 2.0**exponent, actual * 2.0**exponent))
    if np.abs(expected).max() > 1e-3:
        assert scaled.snr() == pytest.approx(once.snr(), abs=1e-3)
        assert scaled.cosine() == pytest.approx(once.cosine(), abs=1e-6)


@given(ARRAYS, st.data())
def test_cosine_and_ratio_are_in_their_range_and_exact_only_where_all_is_equal(expected, data):
    actual = data.draw(npst.arrays(np.float32, expected.shape, elements=st.floats(-1e3, 1e3, width=32)))
    found = of((expected, actual))
    assert -1 <= found.cosine() <= 1
    assert not math.isnan(found.snr())
    assert of((expected, expected)).snr() == math.inf


@given(ARRAYS, st.data())
def test_what_a_failure_suggests_passes(expected, data):
    noise = data.draw(npst.arrays(np.float32, expected.shape, elements=st.floats(-1, 1, width=32)))
    pair = (expected, (expected + noise).astype(np.float32))
    failed = report(snr(40, cosine=0.999), pair)
    if failed.suggestion:
        call = failed.suggestion.replace("snr(", "").rstrip(")").split(", cosine=")
        assert not report(snr(float(call[0]), cosine=float(call[1])), pair).problem


def test_a_failure_says_both_figures_and_what_would_pass():
    found = report(snr(30, cosine=0.9999), (NOISY, NOISY + np.array([[0.5, -0.5, 0.5, -0.5]], np.float32)))
    assert failure_line([found]) == (
        "y: SNR 14.7 < 30 dB and cosine 0.9831 < 0.9999; max abs 0.5 (sample 0, [0,0]); "
        "snr(14.7, cosine=0.9831) would pass"
    )
    assert (round(found.snr, 2), round(found.cosine, 4)) == (14.77, 0.9832)


def test_nothing_is_suggested_for_what_few_bits_do_not_explain():
    found = report(snr(30), (NOISY, -NOISY))
    assert found.problem.startswith("SNR -6.1 < 30 dB; max abs 8")
    assert found.suggestion == ""


@pytest.mark.parametrize("precision", SIGNAL)
def test_outputs_of_integer_arithmetic_are_judged_by_their_noise_unless_they_are_integers(precision):
    rule = default("float32", precision)
    assert (rule.kind, (rule.minimum, rule.cosine), rule.is_default) == ("snr", SIGNAL[precision], True)
    assert rule.text.endswith(f"({precision} default)")
    assert [default(dtype, precision).kind for dtype in ("int64", "bool", "<U3")] == ["equal"] * 3


def test_what_the_user_asks_for_goes_before_the_default():
    outputs = [TensorSpec(name, (-1, 4), "float32") for name in "abc"]
    found = resolve(
        outputs,
        variant_key="onnx-int8",
        format_name="onnx-quantized",
        precision="int8",
        atol={"a": 0.1},
        comparisons={"onnx-int8": {"b": snr(12)}},
    )
    assert [found[name].text for name in "ab"] == ["atol 0.1", "SNR >= 12 dB"]
    assert [found[name].is_default for name in "abc"] == [False, False, True]


@pytest.mark.parametrize(("precision", "measured"), [("fp16", True), ("bf16", True), ("int8", True), ("", False)])
def test_noise_is_recorded_of_every_precision_with_fewer_digits_whatever_judges_it(precision, measured):
    output = TensorSpec("y", (-1, 4), "float32")
    rules = resolve([output], variant_key="k", format_name="f", precision=precision, atol=100.0)
    found = report(rules["y"], (NOISY, NOISY + np.float32(0.01)))
    assert (found.problem, found.snr is not None, found.cosine is not None) == ("", measured, measured)


def test_an_output_with_nan_fails_whatever_its_noise_is():
    found = report(default("float32", "int8"), ([1.0, 2.0], [1.0, np.nan]))
    assert found.problem.startswith("nan where the source has 2.0")
    assert (found.broken, found.suggestion) == (True, "")


def test_an_output_that_is_missing_has_no_figures():
    comparison = Comparison({"y": default("float32", "int8")})
    comparison.add(0, "batch", {"y": NOISY}, {})
    found = comparison.reports()[0]
    assert found.broken
    assert (found.snr, found.cosine) == (None, None)
