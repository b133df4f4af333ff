from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pytest_navigator.core.described import code_in, described, foreign
from pytest_navigator.core.plain import load, save
from pytest_navigator.core.variants import Variant


def translate(x: object) -> object:
    return x


class Color(Enum):
    RED = 1


class Nameless:
    """Its repr has its address."""


@dataclass
class Own:
    level: int
    function: Any


plain_data = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(plain_data)
def test_plain_data_is_left_as_it_is(data: Any) -> None:
    assert described(data) == data
    assert list(foreign(data)) == []


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.int64(3), 3),
        (np.float32(0.5), 0.5),
        (np.float64(0.25), 0.25),
        (Color.RED, 1),
        (Path("a/b"), "a/b"),
        ((1, {2, 3}), [1, [2, 3]]),
        ({Color.RED: (1,), 3: None}, {1: [1], 3: None}),
        (Own(1, "x"), {"level": 1, "function": "x"}),
        (torch.float16, "torch.float16"),
        (len, "builtins.len"),
    ],
    ids=str,
)
def test_what_has_a_plain_form_gets_it(value: Any, expected: Any) -> None:
    assert described(value) == expected
    assert type(described(value)) is type(expected)


def test_the_text_of_an_object_has_no_address() -> None:
    values = [translate, lambda x: x, Nameless(), functools.partial(translate, 1), [torch.ones(2)], Own(1, translate)]
    for value in values:
        assert "0x" not in json.dumps(described(value)).replace("float", "")
    assert described(Nameless()) == described(Nameless())
    assert described(translate).startswith("test_described.translate ")


def test_another_function_or_array_has_another_text() -> None:
    one = lambda x: x + 1  # noqa: E731
    two = lambda x: x + 2  # noqa: E731
    assert described(one) != described(two)
    assert described(torch.ones(5000)) == described(torch.ones(5000)) != described(torch.zeros(5000))
    changed = np.ones(5000)
    changed[2500] = 2
    assert described(changed) != described(np.ones(5000))
    assert described(torch.ones(2, requires_grad=True)).startswith("tensor([1., 1.]")


def judged_with(tolerance: float) -> Any:
    judges = [tolerance]

    def judge(x: float) -> bool:
        return x < judges[0] or judge is None

    return judge


class Judge:
    def __init__(self, tolerance: float) -> None:
        self.tolerance = tolerance
        self.itself = self

    def __call__(self, x: float) -> bool:
        return x < self.tolerance


JUDGES = {
    "a closure": judged_with,
    "an object": Judge,
    "a method": lambda tolerance: Judge(tolerance).__call__,
    "a partial": lambda tolerance: functools.partial(judged_with, tolerance),
    "a partial of a closure": lambda tolerance: functools.partial(judged_with(tolerance), 1),
}


@pytest.mark.parametrize("make", JUDGES.values(), ids=JUDGES)
def test_what_a_function_or_an_object_holds_is_part_of_its_text(make: Any) -> None:
    assert described(make(1e-3)) == described(make(1e-3)) != described(make(2e-3))


def test_the_code_in_a_value_is_that_of_its_functions_and_of_the_classes_of_its_objects() -> None:
    value = {"a": [translate, 1, "x"], "b": Own(1, functools.partial(translate, Judge(1))), "c": Judge(1).__call__}
    assert list(code_in(value)) == [translate, translate, Judge, Judge]


def test_keys_that_are_no_text_become_one() -> None:
    key = torch.ops.aten.gelu.default
    assert list(described({key: 1})) == ["<OpOverload(op='aten.gelu', overload='default')>"]
    assert list(foreign({key: 1})) == ["<OpOverload(op='aten.gelu', overload='default')>"]


def test_the_parts_that_cannot_be_sent_are_found() -> None:
    value = {"a": [1, (torch.ones(1), "x")], "b": {"c": len}, "d": Color.RED, "e": Path("x"), "f": np.int64(1)}
    array, function = foreign(value)
    assert array.startswith("torch.Tensor float32 (1,) ")
    assert function == "builtins.len"


def test_a_variant_with_objects_is_saved_and_read_back_as_texts(tmp_path: Path) -> None:
    arguments = {"custom_args": {"custom_translation_table": {torch.ops.aten.gelu.default: translate}}}
    save(tmp_path / "variant.json", Variant("onnx", "onnx", None, "model.onnx", arguments))
    read = load(tmp_path / "variant.json", Variant).parameters
    assert read == described(arguments)
