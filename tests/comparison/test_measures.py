"""How far two arrays are apart: each figure, by numbers that one can work out by hand."""

from __future__ import annotations

import math

import ml_dtypes
import numpy as np
import pytest

from pytest_navigator.comparison import measures
from pytest_navigator.comparison.tolerances import Rule

INF, NAN = math.inf, math.nan
CLOSE = Rule("close", atol=0.25, rtol=0.0625, explained=0.125)


def measured(expected, actual, rule=CLOSE):
    return measures.measure(np.asarray(expected), np.asarray(actual), rule)


# One pass


def test_all_figures_of_a_pair():
    found = measured([4.0, -8.0, 0.0], [4.5, -7.0, 0.25])
    assert (found.atol, found.where, found.rtol, found.largest) == (1.0, 1, INF, 8.0)
    assert found.excess == 0.5  # 1 less what the rtol allows of 8
    assert found.beyond == 0.25  # of the 0; of the 8 nothing is left
    assert found.mismatched == 1  # the others are exactly as far as the rule allows
    assert not found.bins.size


def test_an_infinity_makes_no_magnitude():
    found = measured([INF, 0.5], [INF, 0.75])
    assert (found.largest, found.atol, found.where) == (0.5, 0.25, 1)


def test_the_relative_difference_is_the_largest_one():
    assert measured([4.0, 8.0, 2.0], [4.5, 8.0, 2.5]).rtol == 0.25
    assert measured([2.0, 4.0], [2.5, 4.5]).rtol == 0.25


def test_what_is_equal_has_no_difference_whatever_it_is():
    found = measured([NAN, INF, -INF, 0.0, 2.0], [NAN, INF, -INF, -0.0, 2.0])
    assert (found.atol, found.rtol, found.largest, found.mismatched, found.excess) == (0.0, 0.0, 2.0, 0, 0.0)


@pytest.mark.parametrize(
    ("expected", "actual"), [(INF, -INF), (INF, 1.0), (1.0, INF), (1.0, -INF), (NAN, 1.0), (1.0, NAN), (NAN, INF)]
)
def test_what_is_finite_in_one_alone_differs_by_infinity(expected, actual):
    found = measured([1.0, expected, 1.0], [1.0, actual, 1.0])
    assert (found.atol, found.where, found.mismatched, found.largest) == (INF, 1, 1, 1.0)


def test_the_first_of_equal_differences_is_told_over_all_blocks():
    expected = np.zeros(3 * measures.BLOCK)
    actual = expected.copy()
    actual[[measures.BLOCK + 5, measures.BLOCK + 7, 2 * measures.BLOCK + 1]] = 2.0
    actual[3] = 1.0
    found = measured(expected, actual)
    assert (found.atol, found.where, found.mismatched) == (2.0, measures.BLOCK + 5, 4)


def test_figures_are_those_of_all_blocks():
    expected = np.zeros(3 * measures.BLOCK)
    actual = expected.copy()
    expected[0], actual[0] = 16.0, 18.0  # rtol 0.125, excess 1, beyond 0
    expected[measures.BLOCK], actual[measures.BLOCK] = 1.0, 1.75  # 0.75, 0.6875, 0.625
    actual[-1] = expected[-1] = 8.0
    found = measured(expected, actual)
    assert (found.atol, found.where, found.rtol, found.largest) == (2.0, 0, 0.75, 16.0)
    assert (found.excess, found.beyond, found.mismatched) == (1.0, 0.625, 2)


@pytest.mark.parametrize("kind", ["equal", "share"])
def test_unequal_elements_are_counted_where_equality_is_asked_for(kind):
    expected = np.zeros(measures.BLOCK + 1, np.int64)
    actual = expected.copy()
    actual[[0, 9, measures.BLOCK]] = 1, -5, 1
    found = measured(expected, actual, Rule(kind))
    assert (found.mismatched, found.atol, found.where, found.excess, found.beyond) == (3, 5.0, 9, 0.0, 0.0)


@pytest.mark.parametrize("kind", ["cosine", "function", "unchecked"])
def test_other_rules_count_nothing(kind):
    found = measured([1.0, 2.0], [3.0, 2.0], Rule(kind))
    assert (found.mismatched, found.atol, found.rtol, found.excess, found.bins.size) == (0, 2.0, 2.0, 0.0, 0)


def test_what_the_tolerance_leaves_is_counted_by_its_size_over_all_blocks():
    expected = np.zeros(measures.BLOCK + 2)
    expected[3] = 16.0
    actual = expected.copy()
    actual[[0, 1, 3, measures.BLOCK]] += 0.5, 2.0, 1.0, 8.0  # the 1 is what the rtol allows of 16
    found = measured(expected, actual, Rule("scaled", rtol=0.0625))
    assert (int(found.bins.sum()), found.mismatched, found.excess) == (3, 0, 8.0)
    assert [measures.above(found.bins, limit) for limit in (0.4, 0.6, 1.0, 7.0, 9.0)] == [3, 2, 2, 1, 0]


def test_of_what_is_within_the_tolerance_nothing_is_counted():
    found = measured([1.0, 0.0], [1.0625, 0.0], Rule("scaled", rtol=0.0625))
    assert (found.bins.size, found.excess, found.atol) == (0, 0.0, 0.0625)


def test_a_limit_in_the_bin_of_a_difference_does_not_count_it():
    bins = measured([0.0] * 4, [1.0, 2.0, 4.0, 8.0], Rule("scaled")).bins
    assert bins.size == measures.BINS
    assert [measures.above(bins, limit) for limit in (0.0, 1.0, 2.0, 3.9, 4.0, 8.0)] == [4, 3, 2, 2, 1, 0]


def test_a_difference_in_the_next_bin_counts():
    bins = measured([0.0, 0.0], [1.0, 1.04], Rule("scaled")).bins
    assert measures.above(bins, 1.0) == 1


def test_a_limit_beyond_float32_counts_infinite_differences_alone_and_warns_nobody():
    bins = measured([0.0, 0.0], [1.0, 1e300], Rule("scaled")).bins
    assert measures.above(bins, 1e300) == 0
    assert measures.above(bins, 1e30) == 1


def test_counts_are_added_and_an_empty_one_adds_nothing():
    none, some, more = np.zeros(0, np.int64), np.array([1, 2]), np.array([10, 20])
    assert measures.added(none, none).size == 0
    assert measures.added(some, none).tolist() == measures.added(none, some).tolist() == [1, 2]
    assert measures.added(some, more).tolist() == [11, 22]


# Samples and scales


def test_magnitudes_are_distinct_and_finite_and_not_0():
    values = np.array([[3.0, -3.0, 0.0, NAN], [INF, -INF, 0.5, 3.0]], np.float32)
    found = measures.magnitudes(values)
    assert (found.tolist(), found.dtype) == ([0.5, 3.0], np.float64)
    assert measures.magnitudes(np.array([3 + 4j, -5 + 0j])).tolist() == [5.0]


def test_a_small_array_is_looked_at_whole():
    whole = np.arange(measures.SAMPLE).reshape(2, -1)
    assert measures.sampled(whole).tolist() == whole.reshape(-1).tolist()


def test_of_a_large_one_the_same_elements_are_looked_at_everywhere():
    large = np.arange(measures.SAMPLE + 1)
    drawn = np.random.default_rng(0).integers(0, large.size, measures.SAMPLE)
    assert measures.sampled(large).tolist() == drawn.tolist()


@pytest.mark.parametrize(
    ("samples", "largest", "scale"),
    [
        ([], 5.0, 1.0),
        ([], 0.5, 1.0),
        ([[]], 5.0, 1.0),
        ([[2.0, 4.0, 100.0]], 100.0, 4.0),
        ([[2.0, 4.0], [4.0, 100.0]], 100.0, 4.0),
        ([[2.0], [8.0]], 8.0, 5.0),
        ([[0.001, 0.002, 0.003]], 0.5, 0.5),
        ([[0.001, 0.002, 0.003]], 3.0, 1.0),
        ([[0.25]], 0.25, 0.25),
    ],
)
def test_the_scale_is_the_median_but_no_less_than_the_largest_or_1(samples, largest, scale):
    assert measures.scale([np.array(sample) for sample in samples], largest) == scale


# Lost digits


DIGITS = np.array([1 / 3, -2 / 7, 0.9, 0.3, -1 / 11])


@pytest.mark.parametrize(("wide", "narrow"), [("float64", "float32"), ("float32", "float16"), ("float32", "bfloat16")])
def test_rounded_values_have_lost_what_the_type_does_not_have(wide, narrow):
    expected = DIGITS.astype(wide)
    lost, kept = measures.lost(expected, expected.astype(narrow).astype(wide), narrow)
    assert (lost, kept) == (5, 0)
    assert measures.lost(expected, expected, narrow) == (0, 5)


def test_a_value_that_the_smaller_type_has_tells_nothing():
    expected = np.array([0.5, 1.0, 0.0, -2.0])
    assert measures.lost(expected, expected + 1, "float32") == (0, 0)


def test_a_value_that_is_wrong_and_has_its_digits_has_lost_none():
    expected = DIGITS
    assert measures.lost(expected, DIGITS + 1e-6, "float32")[0] == 0


@pytest.mark.parametrize("value", [1.0, -1.0, 4.0, 0.25])
def test_the_last_bits_do_not_count(value):
    unit, short = value * np.finfo(np.float64).eps, np.array([value])
    assert measures.lost(np.array([value + 16 * unit]), short, "float32") == (0, 1)
    assert measures.lost(np.array([value + 17 * unit]), short, "float32") == (1, 0)


def test_elements_that_are_small_beside_the_largest_tell_nothing():
    for small, count in ((measures.SMALL * 0.7, 1), (np.nextafter(measures.SMALL * 0.7, 1), 2)):
        expected = np.array([-0.7, small])
        assert measures.lost(expected, expected.astype(np.float32).astype(np.float64), "float32") == (count, 0)
        assert measures.lost(expected, expected, "float32") == (0, count)


def test_the_largest_is_the_largest_of_those_with_digits():
    expected = np.array([1024.0, 1 / 3, 1e6])
    assert measures.lost(expected, expected.astype(np.float32).astype(np.float64), "float32") == (1, 0)


def test_infinities_and_nothing_at_all_have_no_digits():
    expected = np.array([INF, NAN, -INF, 1 / 3])
    assert measures.lost(expected, expected.astype(np.float32).astype(np.float64), "float32") == (1, 0)
    assert measures.lost(np.zeros(0), np.zeros(0), "float32") == (0, 0)


def test_the_last_bit_is_a_digit_too():
    assert measures.lost(np.array([1 + 2**-23], np.float32), np.ones(1, np.float32), "bfloat16") == (0, 1)


def test_a_number_beyond_the_smaller_type_warns_nobody():
    expected = np.array([1e300, 1 / 3])
    assert measures.lost(expected, expected, "float32") == (0, 1)


# How differences are spread


def test_the_spread_is_that_of_the_absolute_differences():
    found = measures.spread(np.array([1.0, 2.0, 4.0, 8.0]), np.array([2.0, 1.0, 7.0, 5.0]))
    assert (found.mean, found.std) == (2.0, 1.0)  # of 1, 1, 3, 3
    assert found.rtols.shape == (measures.STEPS,)
    assert found.rtols[0] == found.rtols[1] == 0.75  # 3 of 4 is one deviation above the mean
    assert found.rtols[2:].tolist() == [1e-5] * (measures.STEPS - 2)


def test_an_element_counts_for_every_step_below_it():
    expected = np.full(100, 10.0)
    actual = expected.copy()
    actual[0] += 10.0
    found = measures.spread(expected, actual)
    assert found.mean == pytest.approx(0.1)
    assert found.std == pytest.approx(0.99498744)
    assert found.rtols[:10].tolist() == [1.0] * 10  # (10 - 0.1) / 0.995 is 9.95
    assert found.rtols[10] == 1e-5


def test_differences_that_are_all_alike_count_for_every_step():
    found = measures.spread(np.array([4.0, 2.0]), np.array([5.0, 3.0]))
    assert (found.mean, found.std) == (1.0, 0.0)
    assert found.rtols.tolist() == [0.5] * measures.STEPS


def test_an_element_below_the_mean_counts_for_none():
    found = measures.spread(np.array([1e-6, 8.0]), np.array([2e-6, 9.0]))
    assert found.rtols[0] == 0.125


def test_an_element_less_than_one_deviation_above_the_mean_counts_for_no_step():
    found = measures.spread(np.array([1e-3, 1.0, 1.0, 1.0]), np.array([2.001, 1.0, 5.0, 1.0]))
    assert 1.5 < found.mean + found.std / 2 < 2.0 + found.std  # 2 and 4 beside two of 0: a mean of 1.5
    assert found.rtols[:2].tolist() == [pytest.approx(2000), pytest.approx(4.0)]


def test_a_spread_is_that_of_all_blocks():
    expected = np.ones(2 * measures.BLOCK)
    actual = expected.copy()
    actual[: measures.BLOCK] = 3.0
    found = measures.spread(expected, actual)
    assert (found.mean, found.std) == (1.0, 1.0)
    assert found.rtols[:3].tolist() == [2.0, 2.0, 1e-5]


def test_a_difference_from_0_is_relatively_infinite_and_none_is_none():
    assert measures.spread(np.array([0.0, 1.0]), np.array([2.0, 1.0])).rtols[0] == INF
    assert measures.spread(np.array([0.0, 1.0]), np.array([0.0, 1.0])).rtols.tolist() == [1e-5] * measures.STEPS


def test_differences_whose_squares_are_infinite_have_no_deviation():
    assert measures.spread(np.array([1e200, 1.0]), np.array([3e200, 1.0])).std == 0.0


# Cosines


@pytest.mark.parametrize(
    ("expected", "actual", "cosine"),
    [
        ([3.0, 4.0], [4.0, 3.0], 0.96),
        ([1.0, 0.0], [-2.0, 0.0], -1.0),
        ([1.0, 0.0], [0.0, 2.0], 0.0),
        ([3.0, 4.0, NAN, 1.0, INF], [4.0, 3.0, 7.0, INF, INF], 0.96),
        ([0.0, 0.0], [0.0, 0.0], 1.0),
        ([0.0, 0.0], [0.0, 1.0], 0.0),
        ([0.0, 1.0], [0.0, 0.0], 0.0),
        ([3 + 4j], [4 + 3j], 0.96),
        ([3, 4], [4, 3], 0.96),
    ],
)
def test_a_cosine_is_that_of_the_vectors(expected, actual, cosine):
    assert measures.cosine(np.array(expected), np.array(actual)) == pytest.approx(cosine, abs=1e-15)


def test_a_cosine_is_over_all_blocks():
    expected, actual = np.zeros(measures.BLOCK + 1), np.zeros(measures.BLOCK + 1)
    expected[[0, -1]], actual[[0, -1]] = (3.0, 4.0), (4.0, 3.0)
    assert measures.cosine(expected, actual) == pytest.approx(0.96, abs=1e-15)


def test_a_cosine_as_near_to_1_as_sums_are_exact_is_1():
    vector = np.array([0.1, 0.2, 0.3])
    assert measures.cosine(vector, vector * 3) == 1.0
    assert measures.cosine(np.array([1.0, 0.0]), np.array([1.0, 1e-7])) == 1.0
    assert measures.cosine(np.array([1.0, 0.0]), np.array([1.0, 1e-5])) == pytest.approx(1 - 5e-11, abs=1e-14)


# Types


def pairs(expected, actual):
    found = [
        (start, d.tolist(), m.tolist()) for start, d, m in measures.blocks(np.asarray(expected), np.asarray(actual))
    ]
    return found[0][1:]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "bfloat16", "float8_e4m3fn"])
def test_floating_numbers_differ_as_float64(dtype):
    expected, actual = (np.array(values).astype(np.dtype(dtype)) for values in ([1.5, -2.0], [1.0, 2.0]))
    assert pairs(expected, actual) == ([0.5, 4.0], [1.5, 2.0])


def test_complex_numbers_differ_by_their_distance():
    assert pairs([3 + 4j], [0j]) == ([5.0], [5.0])


@pytest.mark.parametrize(
    ("dtype", "expected", "actual", "difference", "magnitude"),
    [
        ("int8", -128, 127, 255.0, 128.0),
        ("uint8", 0, 255, 255.0, 0.0),
        ("int64", -(2**63), 2**63 - 1, 2.0**64, 2.0**63),
        ("uint64", 2**64 - 1, 0, 2.0**64, 2.0**64),
        (">i2", -300, 300, 600.0, 300.0),
        ("bool", True, False, 1.0, 1.0),
        ("bool", False, True, 1.0, 0.0),
        ("int4", -8, 7, 15.0, 8.0),
    ],
)
def test_integers_differ_exactly(dtype, expected, actual, difference, magnitude):
    kind = ml_dtypes.int4 if dtype == "int4" else dtype
    assert pairs(np.array([expected]).astype(kind), np.array([actual]).astype(kind)) == ([difference], [magnitude])


@pytest.mark.parametrize("dtype", ["U3", "S3", "object"])
def test_texts_differ_or_do_not(dtype):
    assert pairs(np.array(["a", "b"], dtype), np.array(["a", "c"], dtype)) == ([0.0, 1.0], [1.0, 1.0])


def test_the_same_text_in_another_type_is_the_same():
    assert pairs(np.array(["a"], "U1"), np.array(["a"], object)) == ([0.0], [1.0])


def test_blocks_follow_each_other():
    array = np.arange(2 * measures.BLOCK + 3)
    found = list(measures.blocks(array, array + 1))
    assert [(start, d.size) for start, d, _ in found] == [
        (0, measures.BLOCK),
        (measures.BLOCK, measures.BLOCK),
        (2 * measures.BLOCK, 3),
    ]
    assert [m[0] for _, _, m in found] == [0, measures.BLOCK, 2 * measures.BLOCK]


@pytest.mark.parametrize(
    ("dtype", "text", "exact"),
    [
        ("U3", True, False),
        ("S3", True, False),
        ("O", True, False),
        ("T", True, False),
        ("float32", False, False),
        ("complex64", False, False),
        ("bool", False, True),
        ("int32", False, True),
        ("uint8", False, True),
        (ml_dtypes.int4, False, True),
        (ml_dtypes.uint4, False, True),
        (ml_dtypes.bfloat16, False, False),
        (ml_dtypes.float8_e4m3fn, False, False),
    ],
)
def test_every_type_is_text_or_exact_or_floating(dtype, text, exact):
    assert (measures.is_text(np.dtype(dtype)), measures.is_exact(np.dtype(dtype))) == (text, exact)
