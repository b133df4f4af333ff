"""Calls of a package's runner that need no conversion: they take a short way, and give what the long one gives."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from pytest_navigator.backends.builtin import known
from pytest_navigator.backends.files.frameworks import OnnxFiles
from pytest_navigator.backends.torch.source import TorchFramework
from pytest_navigator.core.records import Signature, TensorSpec
from pytest_navigator.errors import InputError
from pytest_navigator.package.running.runner import PackageRunner
from pytest_navigator.runners.base import Runner
from pytest_navigator.samples.feeds import feed_of
from pytest_navigator.samples.structure import Call

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_navigator.frameworks.base import Framework

TorchCPU = known().runners()["TorchCPU"].load()

BY_PLACE = {"args": [{"leaf": "a"}, {"leaf": "b"}], "kwargs": []}
BY_NAME = {"args": [], "kwargs": [["a", {"leaf": "a"}], ["b", {"leaf": "b"}]]}
MAPPING = {"args": [{"dict": [["a", {"leaf": "a"}], ["b", {"leaf": "b"}]]}], "kwargs": []}
RENAMED = {"args": [{"dict": [["a", {"leaf": "b"}], ["b", {"leaf": "a"}]]}], "kwargs": []}
NESTED = {"args": [], "kwargs": [["p", {"tuple": [{"leaf": "a"}]}], ["q", {"tuple": [{"leaf": "b"}]}]]}

A, B = np.full((2, 3), 1, np.float32), np.full((2, 3), 2, np.float32)


class Echo(Runner):
    """Gives what it gets, and notes it."""

    name, format, runtime = "Echo", "echo", "cpu"

    def activate(self) -> None:
        self.seen: Any = None

    def deactivate(self) -> None: ...

    def infer(self, feed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        self.seen = dict(feed)
        return {name: array.copy() for name, array in feed.items()}

    def direct(self, arrays: str) -> Any:
        return self.infer if arrays == "numpy" else None

    def bind(self, feed: Mapping[str, np.ndarray]) -> Callable[[], object]:
        raise NotImplementedError


def signature(tree: dict[str, Any], array_type: str = "numpy") -> Signature:
    specs = tuple(TensorSpec(name, (-1, 3), "float32", {0: "batch"}) for name in ("a", "b"))
    return Signature(specs, specs, tree, {"dict": [["a", {"leaf": "a"}], ["b", {"leaf": "b"}]]}, 0, array_type)


CALLS = {
    "by place": (BY_PLACE, Call(A, B)),
    "by input name": (BY_PLACE, Call(b=B, a=A)),
    "both": (BY_PLACE, Call(A, b=B)),
    "keywords in another order": (BY_NAME, Call(b=B, a=A)),
    "keywords by place": (BY_NAME, Call(A, B)),
    "a list": (BY_PLACE, Call([A, B])),
    "a mapping of another order": (MAPPING, Call({"b": B, "a": A})),
    "a mapping for keywords": (BY_NAME, Call({"b": B, "a": A})),
    "keys that are not the names": (RENAMED, Call({"a": B, "b": A})),
    "nested keywords of another order": (NESTED, Call(q=(B,), p=(A,))),
}


@pytest.mark.parametrize(("tree", "call"), CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("framework", [OnnxFiles(), TorchFramework()], ids=["numpy", "torch"])
def test_every_array_comes_to_its_input(tree: dict[str, Any], call: Call, framework: Framework) -> None:
    from torch.utils._pytree import tree_map_only

    if framework.name == "torch":
        args, kwargs = tree_map_only(np.ndarray, torch.from_numpy, (call.args, call.kwargs))
        call = Call(*args, **kwargs)
    with PackageRunner(Echo(None, signature(tree), {}), "echo", framework, None) as runner:  # type: ignore[arg-type]
        found = runner(*call.args, **call.kwargs)

    assert {name: float(array[0, 0]) for name, array in found.items()} == {"a": 1.0, "b": 2.0}
    long = feed_of(call, signature(tree), framework)
    assert {name: array[0, 0] for name, array in long.items()} == {"a": 1.0, "b": 2.0}


@pytest.mark.parametrize(
    "give", [lambda runner: runner(A, B), lambda runner: runner.infer({"b": B, "a": A})], ids=["called", "by name"]
)
def test_arrays_that_fit_reach_the_runtime_as_they_are(give: Callable[[Any], Any]) -> None:
    with PackageRunner(made := Echo(None, signature(BY_PLACE), {}), "echo", OnnxFiles(), None) as runner:  # type: ignore[arg-type]
        give(runner)

    assert list(made.seen) == ["a", "b"]
    assert made.seen["a"] is A
    assert made.seen["b"] is B


def test_the_memory_of_a_tensor_is_not_copied_for_a_runtime_of_numpy() -> None:
    a, b = torch.from_numpy(A.copy()), torch.from_numpy(B.copy())
    with PackageRunner(made := Echo(None, signature(BY_PLACE), {}), "echo", TorchFramework(), None) as runner:  # type: ignore[arg-type]
        found = runner(a, b)

    assert made.seen["a"].ctypes.data == a.data_ptr()
    torch.testing.assert_close(found["b"], b)


ODD = {
    "another order in memory": np.asfortranarray(A),
    "another byte order": A.astype(">f4"),
    "every second row": np.repeat(A, 2, 0)[::2],
}


@pytest.mark.parametrize("array", ODD.values(), ids=ODD)
def test_what_does_not_fit_is_converted_as_before(array: np.ndarray) -> None:
    with PackageRunner(made := Echo(None, signature(BY_PLACE), {}), "echo", OnnxFiles(), None) as runner:  # type: ignore[arg-type]
        by_call, by_name = runner(array, B), runner.infer({"a": array, "b": B})

    assert made.seen["a"].dtype.isnative
    np.testing.assert_array_equal(by_call["a"], A)
    np.testing.assert_array_equal(by_name["a"], A)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((A.astype(np.float64), B), "input 'a' is float64, the model takes float32"),
        ((A[0], B), r"input 'a' has the shape \(3,\)"),
        ((A,), "the call has 1 array, the model takes 2"),
        ((A, B, B), "the call has 3 arrays"),
        ((), "the call has 0 arrays, the model takes 2: a, b; missing: a, b"),
    ],
)
def test_what_is_wrong_is_told_as_before(args: tuple[Any, ...], message: str) -> None:
    with (
        PackageRunner(Echo(None, signature(BY_PLACE), {}), "echo", OnnxFiles(), None) as runner,  # type: ignore[arg-type]
        pytest.raises(InputError, match=message),
    ):
        runner(*args)


def test_a_runner_that_was_left_says_so() -> None:
    with PackageRunner(Echo(None, signature(BY_PLACE), {}), "echo", OnnxFiles(), None) as runner:  # type: ignore[arg-type]
        runner(A, B)
    with pytest.raises(InputError, match="echo/Echo is not active"):
        runner(A, B)


class Writing(torch.nn.Module):
    """Writes into its arguments, and gives a buffer that the next call changes."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("state", torch.zeros(2, 3))

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> dict[str, torch.Tensor]:
        a += 1
        self.state += b
        return {"a": a, "b": self.state}


def test_a_module_that_writes_changes_nothing_of_the_callers() -> None:
    a, b = torch.from_numpy(A.copy()), torch.from_numpy(B.copy())
    source = TorchFramework().source(Writing().eval(), {})
    with PackageRunner(TorchCPU(source, signature(BY_PLACE, "torch"), {}), "torch", TorchFramework(), None) as runner:
        first, second = runner(a, b), runner(a, b)
        first["a"] *= 2  # a tensor of the caller's own: not one of inference mode

    torch.testing.assert_close(a, torch.from_numpy(A))
    torch.testing.assert_close(first["b"], torch.from_numpy(B))
    torch.testing.assert_close(second["b"], torch.from_numpy(2 * B))
    torch.testing.assert_close(second["a"], torch.from_numpy(A + 1))


class Adding(torch.nn.Module):
    """Takes one size only."""

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"a": a + torch.zeros(3), "b": b}


def test_a_size_that_the_runtime_refuses_is_told() -> None:
    source = TorchFramework().source(Adding().eval(), {})
    with (
        PackageRunner(TorchCPU(source, signature(BY_PLACE, "torch"), {}), "torch", TorchFramework(), None) as runner,
        pytest.raises(InputError, match=r"input 'a' has the shape \(2, 4\), the model takes \(-1, 3\)"),
    ):
        runner(torch.zeros(2, 4), torch.zeros(2, 3))


def test_a_tensor_with_gradients_is_taken() -> None:
    a = torch.from_numpy(A.copy()).requires_grad_()
    source = TorchFramework().source(torch.nn.Identity().eval(), {})
    one = replace(
        signature(BY_PLACE, "torch"), inputs=signature(BY_PLACE).inputs[:1], outputs=signature(BY_PLACE).outputs[:1]
    )
    one = replace(one, input_tree={"args": [{"leaf": "a"}], "kwargs": []}, output_tree={"leaf": "a"})
    with PackageRunner(TorchCPU(source, one, {}), "torch", TorchFramework(), None) as runner:
        found = runner(a)

    assert not found.requires_grad
    torch.testing.assert_close(found, a.detach())
