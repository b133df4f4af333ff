"""The shapes that an engine is built for: the loader's, the user's, and the batch sizes to try."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_navigator.backends.tensorrt.profiles import batch_sizes, check_given, check_shared, completed
from pytest_navigator.core.records import LoaderRecord, Signature, TensorSpec
from pytest_navigator.errors import StepFailed

SIGNATURE = Signature(
    inputs=(
        TensorSpec("ids", (-1, -1), "int64", {0: "batch", 1: "length"}, batched=True),
        TensorSpec("table", (4, 2), "float32"),
    ),
    outputs=(),
    input_tree={},
    output_tree={},
    batch_dim=0,
    array_type="torch",
)
LOADER = {
    "ids": {"min": [1, 5], "opt": [4, 9], "max": [6, 20]},
    "table": {"min": [4, 2], "opt": [4, 2], "max": [4, 2]},
}


@pytest.mark.parametrize(
    ("asked", "loader", "fallback", "sizes"),
    [
        (6, 6, True, [6]),
        (64, 6, False, [64]),
        (64, 6, True, [64, 32, 16, 6]),
        (16, 6, True, [16, 8, 6]),
        (7, 6, True, [7, 6]),
        (None, None, True, [None]),
    ],
)
def test_a_failed_build_is_tried_with_half_and_a_quarter_and_at_last_with_the_loaders_batch(
    asked, loader, fallback, sizes
):
    assert batch_sizes(LoaderRecord(max_batch_size=loader, asked_batch=asked), fallback=fallback) == sizes


@given(asked=st.integers(1, 4096), loader=st.integers(1, 4096))
def test_the_sizes_to_try_fall_and_end_where_the_samples_fit(asked, loader):
    sizes = batch_sizes(LoaderRecord(max_batch_size=loader, asked_batch=max(asked, loader)), fallback=True)
    assert sizes == sorted(set(sizes), reverse=True)
    assert sizes[0] == max(asked, loader)
    assert sizes[-1] == loader


def test_without_a_profile_of_the_users_the_loaders_is_taken():
    assert completed(LOADER, 6, (), SIGNATURE) == [LOADER]


def test_a_larger_batch_widens_the_batch_axis_and_moves_what_is_tuned_for():
    (profile,) = completed(LOADER, 64, (), SIGNATURE)
    assert profile["ids"] == {"min": [1, 5], "opt": [32, 9], "max": [64, 20]}
    assert profile["table"] == LOADER["table"]


def test_a_profile_names_whole_shapes_or_axes_and_the_loader_the_rest():
    shapes = {"ids": {"shapes": [[1, 1], [8, 16], [16, 32]]}}
    axes = {"ids": {"axes": {"1": [2, 10, 40]}}}
    first, second = completed(LOADER, 6, (shapes, axes), SIGNATURE)
    assert first["ids"] == {"min": [1, 1], "opt": [8, 16], "max": [16, 32]}
    assert second["ids"] == {"min": [1, 2], "opt": [4, 10], "max": [6, 40]}
    assert first["table"] == second["table"] == LOADER["table"]


@pytest.mark.parametrize(
    ("profile", "message"),
    [
        ({"idz": {"axes": {"0": [1, 2, 3]}}}, r"unknown input 'idz'; did you mean 'ids'\?"),
        ({"ids": {"axes": {"2": [1, 2, 3]}}}, r"'ids' has no axis 2, its shape is \[6, 20\]"),
        ({"ids": {"shapes": [[1], [2], [3]]}}, r"'ids' has 1 axes there, 2 in the model"),
        ({"table": {"axes": {"0": [1, 2, 4]}}}, r"axis 0 of 'table' is 4 in the model, not \[1, 2, 4\]"),
        ({"ids": {"axes": {"1": [6, 9, 20]}}}, r"axis 1 of 'ids' goes from 6 to 20, but the samples have 5: no"),
        ({"ids": {"axes": {"0": [2, 4, 6]}}}, r"have 1 \(single rows of the samples are checked too\)"),
        ({"ids": {"axes": {"0": [1, 2, 4]}}}, r"axis 0 of 'ids' goes from 1 to 4, but the samples have 6"),
    ],
)
def test_a_profile_that_does_not_fit_says_where(profile, message):
    with pytest.raises(StepFailed, match=message):
        completed(LOADER, 6, (profile,), SIGNATURE)


def test_several_profiles_may_share_the_samples():
    small, large = {"ids": {"axes": {"0": [1, 1, 1]}}}, {"ids": {"axes": {"0": [2, 4, 6]}}}
    with pytest.raises(StepFailed, match="no profile takes them all"):
        completed(LOADER, 6, (large,), SIGNATURE)
    with pytest.raises(StepFailed, match="no profile takes them all"):
        completed(LOADER, 6, (small,), SIGNATURE)
    assert len(completed(LOADER, 6, (small, large), SIGNATURE)) == 2


BOTH = {word: [size, 5] for word, size in zip(("min", "opt", "max"), (1, 4, 6), strict=True)}
MOVED = {**BOTH, "max": [16, 5]}
NAMES = {"ids": {0: "batch", 1: "length"}, "mask": {0: "batch", 1: "length"}}


def test_axes_of_one_dimension_may_not_be_moved_apart():
    profiles = [{"ids": BOTH, "mask": BOTH}, {"ids": BOTH, "mask": MOVED}]
    message = (
        r"trt_profiles\[1\]: axis 0 of 'mask' goes from 1 to 16, tuned for 4, but axis 0 of 'ids' goes from 1 to 6, "
        "tuned for 4; both are the dimension 'batch': give them the same sizes"
    )
    with pytest.raises(StepFailed, match=message):
        check_shared(profiles, [{"ids": {}}, {"mask": {}}], NAMES)


def test_axes_of_one_dimension_may_be_moved_together_and_others_as_one_likes():
    check_shared([{"ids": MOVED, "mask": MOVED}], [{"ids": {}, "mask": {}}], NAMES)
    check_shared([{"ids": MOVED, "mask": BOTH}], [{"ids": {}}], {"ids": {0: "m"}, "mask": {0: "n"}})
    check_shared([{"ids": MOVED, "mask": BOTH}], [{"ids": {}}], {"ids": {}, "mask": {}})


def test_batches_that_are_to_be_measured_and_no_profile_takes_are_refused():
    record = LoaderRecord(profile=LOADER, max_batch_size=6, asked_batch=64)
    small, large = {"ids": {"axes": {"0": [1, 4, 8]}}}, {"ids": {"axes": {"0": [8, 32, 64]}}}
    with pytest.raises(StepFailed, match="axis 0 of 'ids' goes up to 8, but batches of 64 are to be measured"):
        check_given(record, (small,), SIGNATURE)
    check_given(record, (small, large), SIGNATURE)
    check_given(record, (), SIGNATURE)


def test_inputs_of_one_batch_may_not_have_different_batch_sizes():
    mask = TensorSpec("mask", (-1, -1), "int64", {0: "batch", 1: "length"}, batched=True)
    signature = replace(SIGNATURE, inputs=(*SIGNATURE.inputs, mask))
    record = LoaderRecord(profile={**LOADER, "mask": LOADER["ids"]}, max_batch_size=6, asked_batch=6)
    with pytest.raises(StepFailed, match=r"axis 0 of 'ids' goes from 1 to 8, tuned for 4, but axis 0 of 'mask'"):
        check_given(record, ({"ids": {"axes": {"0": [1, 4, 8]}}},), signature)
