"""A generation: the names say what is handed on, and the likeliest tokens are compared."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_navigator.comparison.generation import Generation, chosen, generation_of
from pytest_navigator.comparison.tolerances import Rule
from pytest_navigator.core.records import Signature, TensorSpec
from pytest_navigator.errors import StepFailed

RULE = Rule("scaled", atol=1e-6, rtol=1e-5, explained=1e-5)


def signature(inputs: tuple[str, ...], outputs: dict[str, int]) -> Signature:
    specs = tuple(TensorSpec(name, (-1, 2), "float32", {0: "batch"}) for name in inputs)
    given = tuple(TensorSpec(name, (-1,) * axes, "float32", {0: "batch"}) for name, axes in outputs.items())
    return Signature(specs, given, {}, {}, 0, "torch")


@pytest.mark.parametrize("name", ["past", "output__past"])
def test_an_output_that_is_called_as_an_input_is_that_of_the_next_step(name: str) -> None:
    of = signature(("ids", "past"), {"hidden": 3, name: 3, "logits": 3})
    assert generation_of(of) == Generation({"past": name}, "logits")


@pytest.mark.parametrize(
    ("outputs", "message"),
    [({"logits": 3}, r"no output is called as an input \(ids, past\)"), ({"past": 3, "x": 2}, "no output holds the")],
)
def test_what_is_no_generation_is_told_so(outputs: dict[str, int], message: str) -> None:
    with pytest.raises(StepFailed, match=message):
        generation_of(signature(("ids", "past"), outputs))


def test_only_the_last_position_chooses() -> None:
    expected = np.zeros((2, 3, 4), np.float32)
    expected[:, -1, 2] = 1
    other = expected.copy()
    other[:, 0, 1] = 5
    assert chosen(expected, other, RULE) == (2, 0, "")


def test_another_token_is_told_with_its_row() -> None:
    expected = np.zeros((2, 1, 4), np.float32)
    expected[:, -1, 2] = 1
    other = expected.copy()
    other[1, -1, 3] = 2
    assert chosen(expected, other, RULE).problem == "row 1 goes on with token 3, the source with 2"


def test_a_token_as_good_as_the_source_s_is_a_tie() -> None:
    expected = np.array([[[0.0, 1.0, 1.0 - 1e-7]]], np.float32)
    other = np.array([[[0.0, 1.0 - 1e-7, 1.0]]], np.float32)
    assert chosen(expected, other, RULE) == (1, 1, "")
