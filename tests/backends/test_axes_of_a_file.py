"""A tensor that has other axes in the ONNX file than in the model: complex numbers, which became pairs of real ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import onnx
import pytest
from onnx import TensorProto as T
from onnx import helper as h

from pytest_navigator.backends.onnx.file import check_axes, check_opset, conform, dynamic_axes
from pytest_navigator.core.records import Signature, TensorSpec
from pytest_navigator.errors import StepFailed

if TYPE_CHECKING:
    from pathlib import Path

Shape = list[int | str]


def conformed(path: Path, found: Shape, kinds: tuple[str, str], wanted: tuple[int, ...] = (-1, 4)) -> None:
    """Write a file whose input and output have one shape, and give it the names of a model in which it is another."""
    values = [h.make_tensor_value_info(name, T.FLOAT, found) for name in ("x", "y")]
    graph = h.make_graph([h.make_node("Neg", ["x"], ["y"])], "graph", values[:1], values[1:])
    onnx.save(h.make_model(graph), path)
    shapes = [
        wanted if kind.startswith("complex") else (-1, *(n if isinstance(n, int) else -1 for n in found[1:]))
        for kind in kinds
    ]
    x, y = (TensorSpec(n, s, k, {0: "batch"}, True) for n, s, k in zip("xy", shapes, kinds, strict=True))
    conform(path, Signature((x,), (y,), {}, {}, 0, "torch"))


@pytest.mark.parametrize(
    ("kinds", "named"),
    [
        (("float32", "complex64"), "output 'y' is complex64"),
        (("complex64", "float32"), "input 'x' is complex64"),
        (("float32", "complex128"), "output 'y' is complex128"),
    ],
)
def test_complex_numbers_that_became_real_ones_are_told_so(tmp_path: Path, kinds: tuple[str, str], named: str) -> None:
    with pytest.raises(StepFailed) as caught:
        conformed(tmp_path / "model.onnx", ["n", 4, 2], kinds)
    message = str(caught.value)
    assert message.startswith(f"{named}, which hardly an operator of ONNX takes: the exporter made real numbers of it")
    assert message.endswith("an axis of 2 of its own (torch.view_as_real makes it), or two tensors")


@pytest.mark.parametrize("found", [["n", 4, 3], ["n"], ["n", 4, "k"], ["n", 4, 1, 2]], ids=str)
def test_other_axes_are_only_counted(tmp_path: Path, found: Shape) -> None:
    message = rf"^output 'y' has {len(found)} axes in the ONNX file, 2 in the model$"
    with pytest.raises(StepFailed, match=message):
        conformed(tmp_path / "model.onnx", found, ("float32", "complex64"))


def test_an_axis_that_changes_in_the_loader_and_is_fixed_in_the_file_is_told(tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    values = [h.make_tensor_value_info(name, T.FLOAT, shape) for name, shape in (("x", ["n", 4]), ("y", [2, 4]))]
    graph = h.make_graph([h.make_node("Neg", ["x"], ["y"])], "graph", values[:1], values[1:])
    onnx.save(h.make_model(graph, opset_imports=[h.make_opsetid("", 18)]), file)
    x, y = (TensorSpec(name, (-1, 4), "float32", {0: "batch"}, True) for name in "xy")
    check_axes(str(file), dynamic_axes(Signature((x,), (), {}, {}, 0, "torch")))
    check_axes(str(file), [("output", "dropped", 0, "axis 0"), ("input", "x", 7, "axis 7")])
    told = r"^the batch axis of output 'y' was fixed to 2 by the exporter: the model takes no other size$"
    with pytest.raises(ValueError, match=told):
        check_axes(str(file), dynamic_axes(Signature((x,), (y,), {}, {}, 0, "torch")))


def test_an_opset_that_was_not_asked_for_is_told_with_who_delivered_it(tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    graph = h.make_graph([], "graph", [], [])
    onnx.save(h.make_model(graph, opset_imports=[h.make_opsetid("", 18)]), file)
    check_opset(str(file), 18, "the converter")
    with pytest.raises(ValueError, match=r"^opset 13 was asked for, the dynamo engine delivered 18$"):
        check_opset(str(file), 13, "the dynamo engine")
