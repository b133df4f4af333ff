"""Requests become a batch, and its outputs become theirs again."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_navigator.core.records import Signature, TensorSpec
from pytest_navigator.deploy.batches import batch_axis, obstacle
from pytest_navigator.deploy.serve.batches import alike, join, rows_of, split


def tensor(shape: tuple[int, ...], *, batched: bool = True) -> TensorSpec:
    return TensorSpec("x", shape, "float32", {}, batched)


@pytest.mark.parametrize(
    ("inputs", "outputs", "batch_dim", "axis"),
    [
        ([tensor((-1, 4)), tensor((-1,))], [tensor((-1, -1))], 0, 0),
        ([tensor((4, -1))], [tensor((3, -1, 2))], 1, 1),
        ([tensor((-1, 4))], [tensor((-1, 4))], None, None),
        ([tensor((-1, 4)), tensor((4,), batched=False)], [tensor((-1, 4))], 0, None),
        ([tensor((-1, 4))], [tensor((), batched=False)], 0, None),
        ([tensor((2, 4))], [tensor((2, 4))], 0, None),
    ],
    ids=["in front", "second", "none", "an input without it", "an output without it", "of one size"],
)
def test_requests_are_joined_only_along_an_axis_that_every_tensor_has_in_any_size(
    inputs: list[TensorSpec], outputs: list[TensorSpec], batch_dim: int | None, axis: int | None
) -> None:
    assert batch_axis(Signature(tuple(inputs), tuple(outputs), {}, {}, batch_dim, "numpy")) == axis
    assert (obstacle(batch_dim, (*inputs, *outputs)) == "") == (axis == 0)  # Triton joins them along no other


@given(rows=st.lists(st.integers(1, 4), min_size=1, max_size=6), axis=st.integers(0, 1))
def test_what_is_joined_is_split_into_the_same(rows: list[int], axis: int) -> None:
    shapes = [(size, 3) if axis == 0 else (3, size) for size in rows]
    requests = [{"x": np.full(shape, index), "y": -np.full(shape, index)} for index, shape in enumerate(shapes)]

    parts = split(join(requests, axis), [rows_of(each, axis) for each in requests], axis)

    assert len({alike(each, axis) for each in requests}) == 1
    for request, part in zip(requests, parts, strict=True):
        assert {name: array.tolist() for name, array in part.items()} == {n: a.tolist() for n, a in request.items()}


def test_texts_of_two_lengths_are_joined() -> None:
    parts = split(join([{"x": np.array(["a"])}, {"x": np.array(["long", ""])}], 0), [1, 2], 0)

    assert [part["x"].tolist() for part in parts] == [["a"], ["long", ""]]


def test_an_output_with_other_rows_than_went_in_belongs_to_nobody() -> None:
    with pytest.raises(ValueError, match="output 'y' has 2 rows of the 3 that went in"):
        split({"y": np.zeros((2, 4))}, [1, 2], 0)
