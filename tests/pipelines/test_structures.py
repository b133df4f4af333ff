"""Structures of calls: what makes two calls one graph, and numbers that become arrays."""

from __future__ import annotations

from collections import namedtuple
from dataclasses import dataclass

import numpy as np
import pytest

from pytest_navigator.pipelines.structures import form_of, numbers, structure_of, with_arrays
from pytest_navigator.samples.structure import Call

Pair = namedtuple("Pair", "left right")


@dataclass
class Options:
    scale: float
    mask: object = None


X = np.zeros((2, 3), np.float32)


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (Call(np.ones((5, 7), np.float32), mode="a"), True),
        (Call(np.ones((5, 7), np.float64), mode="a"), False),
        (Call(np.ones(5, np.float32), mode="a"), False),
        (Call(X, mode="b"), False),
        (Call([X], mode="a"), False),
        (Call(X, mode="a", more=None), False),
    ],
)
def test_calls_are_one_graph_if_they_differ_in_sizes_and_values_of_arrays_only(other, same):
    assert (structure_of(Call(X, mode="a")) == structure_of(other)) is same


def test_a_class_and_a_flag_belong_to_the_structure_and_numbers_can_be_left_out():
    assert structure_of(Call(Pair(X, 1))) != structure_of(Call((X, 1)))
    assert structure_of(Call(Options(1.0, X))) != structure_of(Call(Options(2.0, X)))
    assert form_of(Call(X, 1, True), values=False) == form_of(Call(X, 2, True), values=False)
    assert form_of(Call(X, 1, True), values=False) != form_of(Call(X, 1, False), values=False)
    assert form_of(Call(X, 1), values=False) != form_of(Call(X, 1.0), values=False)


def test_numbers_have_places_at_which_arrays_can_stand():
    call = Call(X, 3, Pair(1.5, [True, 2]), options={"scale": 4.0, "name": "a"})

    assert dict(numbers(call)) == {"1": 3, "2.0": 1.5, "2.1.1": 2, "options.scale": 4.0}
    changed = with_arrays(call, ["1", "2.0", "options.scale"], np.asarray)
    assert [np.asarray(value).dtype.name for value in (changed.args[1], changed.args[2].left)] == ["int64", "float64"]
    assert changed.args[2].right == [True, 2]
    assert isinstance(changed.kwargs["options"]["scale"], np.ndarray)
    assert changed.kwargs["options"]["name"] == "a"
