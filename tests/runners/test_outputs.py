from __future__ import annotations

import time
from collections import namedtuple
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from pytest_navigator.core.records import Signature, TensorSpec
from pytest_navigator.engine.checks import copy_latency
from pytest_navigator.runners.outputs import by_name, copying, in_order


@dataclass
class Pair:
    a: int
    b: tuple[int, int] | None


Named = namedtuple("Named", "a b")
OBJECT = {
    "object": {"type": "x:Pair", "fields": [["a", {"leaf": "a"}], ["b", {"tuple": [{"leaf": "b"}, {"leaf": "c"}]}]]}
}
WITH_NONE = {
    "dict": [["c", {"leaf": "c"}], ["skip", {"value": None}], ["ab", {"list": [{"leaf": "a"}, {"leaf": "b"}]}]]
}


def signature(tree: Any, names: str = "abc") -> Signature:
    return Signature((), tuple(TensorSpec(name, (), "int64") for name in names), {}, tree, None, "torch")


@pytest.mark.parametrize(
    "value", [Pair(1, (2, 3)), Named(1, (2, 3)), {"b": [2, 3], "a": 1}, (1, (2, 3)), {"a": 1, "b": (2, 3), "c": None}]
)
def test_an_object_is_read_from_whatever_a_runtime_makes_of_it(value: object) -> None:
    assert by_name(signature(OBJECT), value) == {"a": 1, "b": 2, "c": 3}


@pytest.mark.parametrize("value", [{"ab": [1, 2], "c": 3}, {"c": 3, "skip": None, "ab": [1, 2]}])
def test_the_order_is_the_signatures_and_constants_may_be_missing(value: object) -> None:
    assert list(by_name(signature(WITH_NONE), value).items()) == [("a", 1), ("b", 2), ("c", 3)]


@pytest.mark.parametrize("value", [Pair(1, None), (1,), {"a": 1, "b": (2, 3), "x": 4}, {"a": 1}, 1, (1, (2, None))])
def test_another_structure_is_numbered(value: object) -> None:
    assert all(name.startswith("output__") for name in by_name(signature(OBJECT), value))


def test_another_number_of_values_is_numbered() -> None:
    assert in_order(signature({}), [1, 2, 3]) == {"a": 1, "b": 2, "c": 3}
    assert in_order(signature({}), [1, 2]) == {"output__0": 1, "output__1": 2}


def test_copies_bring_inputs_to_the_device_and_every_output_back() -> None:
    told: list[object] = []

    copying(lambda: told.append("inputs"), {"a": 1, "b": 2}, lambda leaf: told.append(leaf) or np.zeros(1))()

    assert told == ["inputs", 1, 2]


def test_the_time_of_copies_is_known_where_there_are_some() -> None:
    calls: list[None] = []

    found = copy_latency(lambda: calls.append(time.sleep(0.002)))

    assert found is not None
    assert found >= 2  # ms
    assert len(calls) > 1
    assert copy_latency(None) is None
