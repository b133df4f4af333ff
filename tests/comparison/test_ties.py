"""An id that differs is excused by the scores that it was chosen by, if these are as good as equal; by nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_navigator.comparison.ties import tied
from pytest_navigator.comparison.tolerances import Rule

NEAR = 1e-3
SCORES = np.array([[1.0, 5.0, 5.0, 2.0], [9.0, 0.0, 3.0, 8.0]])
"""The first row has two that are equal, the second one best one."""

IDS, OTHER = np.array([1, 0]), np.array([2, 0])


def judged(ids, other, *, near=NEAR, **outputs):
    rules = {name: Rule("scaled", explained=near) for name in outputs}
    return tied(np.asarray(ids), np.asarray(other), {"ids": np.asarray(ids), **outputs}, rules)


def test_an_id_of_an_equal_score_is_a_tie():
    assert judged(IDS, OTHER, scores=SCORES) is True


@pytest.mark.parametrize("other", [[1, 3], [3, 0], [2, 3]])
def test_an_id_of_a_smaller_score_is_none(other):
    assert judged(IDS, other, scores=SCORES) is False


def test_any_output_that_explains_it_does():
    assert judged(IDS, OTHER, noise=np.zeros((2, 4)), scores=SCORES, more=SCORES[:, ::-1])


def test_an_output_without_a_rule_proves_nothing():
    outputs = {"ids": IDS, "scores": SCORES}
    assert not tied(IDS, OTHER, outputs, {})
    assert not tied(IDS, OTHER, outputs, {"ids": Rule("equal", explained=NEAR)})


def test_an_output_of_which_rounding_explains_nothing_proves_nothing():
    assert not judged(IDS, OTHER, near=0.0, scores=SCORES)


def test_scores_may_be_apart_by_what_rounding_explains_of_value_and_scale():
    scores = np.array([[8.0, 4.0]])  # the scale is 6, so that these are 4 of 14 apart
    assert judged([0], [1], near=0.29, scores=scores)
    assert not judged([0], [1], near=0.28, scores=scores)


def test_a_difference_of_exactly_what_is_explained_is_a_tie():
    scores = np.array([[1.0, 0.0]])  # value 1 and scale 1
    assert judged([0], [1], near=0.5, scores=scores)
    assert not judged([0], [1], near=0.4999, scores=scores)


def test_of_scores_below_1_the_largest_is_the_scale():
    scores = np.array([[0.5, 0.25]])
    assert judged([0], [1], near=0.25, scores=scores)
    assert not judged([0], [1], near=0.24, scores=scores)


def test_of_scores_that_are_0_everywhere_the_scale_is_1():
    scores = np.array([[0.0, 0.0]])
    assert judged([0], [1], scores=scores)


def test_a_mask_below_the_scores_does_not_make_the_scale():
    scores = np.array([[0.5, -1e9, 0.25]])
    assert not judged([0], [2], near=0.01, scores=scores)


@pytest.mark.parametrize("dtype", ["int32", "bool", "complex128", "object"])
def test_what_is_no_floating_number_is_no_score(dtype):
    assert not judged(IDS, OTHER, scores=SCORES.astype(dtype))


def test_texts_are_no_scores():
    assert not judged(IDS, OTHER, scores=SCORES.astype(str))


def test_complex_numbers_are_no_scores():
    scores = np.array([[1 + 0j, 1 + 0j]])
    assert not judged([0], [1], scores=scores)


@pytest.mark.parametrize(
    ("ids", "other"),
    [
        ([1.0, 0.0], [2.0, 0.0]),
        ([1, 0], [2.0, 0.0]),
        ([1.0, 0.0], [2, 0]),
        ([1, 0], [[2, 0]]),
        (["1", "0"], ["2", "0"]),
    ],
)
def test_only_whole_numbers_of_one_shape_are_ids(ids, other):
    assert not judged(ids, other, scores=SCORES)


def test_unsigned_ids_are_ids():
    assert judged(IDS.astype(np.uint8), OTHER.astype(np.uint8), scores=SCORES)


def test_one_id_alone_is_none():
    assert judged(np.int64(1), np.int64(2), scores=SCORES[0]) is False


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_ids_may_be_chosen_along_any_axis(axis):
    scores = np.moveaxis(np.broadcast_to(SCORES[:, None], (2, 3, 4)), -1, axis)
    ids, other = np.repeat(IDS[:, None], 3, 1), np.repeat(OTHER[:, None], 3, 1)
    assert judged(ids, other, scores=scores)
    assert not judged(ids, other[::-1], scores=scores)


def test_the_first_axis_that_fits_by_shape_alone_does_not_stand_for_the_next():
    scores = np.array([[5.0, 5.0], [0.0, 1.0]])  # along the last axis [0, 1], along the first [0, 0]
    assert judged([0, 1], [1, 1], scores=scores)


@pytest.mark.parametrize("wrong", [-1, 4])
def test_an_id_that_names_no_score_is_no_tie(wrong):
    equal = np.full((2, 4), 5.0)
    assert judged([0, 0], [3, 0], scores=equal)
    assert not judged([0, 0], [wrong, 0], scores=equal)


def test_scores_that_the_ids_were_not_chosen_by_prove_nothing():
    assert not judged([2, 0], [1, 0], scores=SCORES)  # argmax takes the first of equals


@pytest.mark.parametrize("shape", [(2, 0), (0, 4)])
def test_no_scores_prove_nothing(shape):
    ids = np.zeros(shape[:1], np.int64)
    assert not judged(ids, ids + 1, scores=np.zeros(shape))
    assert not judged(np.zeros(shape, np.int64), np.zeros(shape, np.int64), scores=np.zeros(shape))


# Beside topk and sort


RANKED = np.array([[9.0, 4.0, 4.0, 1.0], [8.0, 7.0, 2.0, 2.0]])
PLACES = np.array([[6, 3, 2, 0], [1, 2, 7, 4]])


@pytest.mark.parametrize("order", [1, -1])
def test_neighbours_of_equal_rank_may_change_places(order):
    swapped = PLACES[:, [0, 2, 1, 3]].copy()
    swapped[1] = PLACES[1]
    assert judged(PLACES[:, ::order], swapped[:, ::order], values=RANKED[:, ::order])


@pytest.mark.parametrize("swap", [[1, 0, 2, 3], [0, 1, 3, 2], [3, 1, 2, 0]])
def test_neighbours_of_another_rank_may_not(swap):
    assert not judged(PLACES, PLACES[:, swap], values=RANKED)


def test_another_id_than_those_that_were_ranked_is_no_tie():
    other = PLACES.copy()
    other[0, 2] = 5
    assert not judged(PLACES, other, values=np.full((2, 4), 3.0))


def test_values_that_are_in_no_order_rank_nothing():
    mixed = np.array([[3.0, 3.0, 9.0], [3.0, 3.0, 1.0]])
    ids, other = np.array([[0, 1, 2], [0, 1, 2]]), np.array([[1, 0, 2], [1, 0, 2]])
    assert not judged(ids, other, values=mixed)
    assert judged(ids[:1], other[:1], values=mixed[:1])


def test_a_small_step_up_among_steps_down_is_no_order():
    assert not judged([[0, 1, 2]], [[2, 1, 0]], values=np.array([[3.0, 3.5, 3.0]]))
    assert not judged([[0, 1, 2]], [[2, 1, 0]], values=np.array([[3.0, 2.5, 3.0]]))


def test_two_are_enough_to_be_ranked():
    assert judged([[0, 1]], [[1, 0]], values=np.array([[2.0, 2.0]]))
    assert not judged([[0, 1]], [[1, 0]], values=np.array([[3.0, 2.0]]))


def test_rankings_may_have_any_number_of_axes():
    values = np.array([[[5.0, 4.0, 4.0]], [[2.0, 2.0, 1.0]]])
    ids = np.array([[[7, 8, 9]], [[7, 8, 9]]])
    assert judged(ids, np.array([[[7, 9, 8]], [[8, 7, 9]]]), values=values)
    assert not judged(ids, np.array([[[8, 7, 9]], [[8, 7, 9]]]), values=values)
    assert judged(ids[0, 0], np.array([7, 9, 8]), values=values[0, 0])


def test_the_order_is_along_the_last_axis():
    # Down the first axis these fall as well, but for the last column.
    values = np.array([[5.0, 5.0, 1.0], [4.0, 4.0, 2.0]])
    ids, other = np.array([[0, 1, 2], [0, 1, 2]]), np.array([[1, 0, 2], [1, 0, 2]])
    assert judged(ids, other, values=values)
    ids, other = np.array([[0, 1], [1, 0]]), np.array([[0, 0], [1, 1]])
    assert not judged(ids, other, values=np.array([[4.0, 4.0], [5.0, 3.0]]))


def test_values_of_another_shape_rank_nothing():
    assert not judged(PLACES, PLACES[:, [0, 2, 1, 3]], values=RANKED[:, :, None])
    assert not judged(PLACES, PLACES[:, [0, 2, 1, 3]], values=RANKED[:1])


def test_one_id_beside_its_score_was_not_ranked():
    assert not judged([[3]], [[3]], values=np.array([[1.0]]))
