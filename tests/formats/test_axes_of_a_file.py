"""A tensor that has other axes in the ONNX file than in the model: complex numbers, which became pairs of real ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import onnx
import pytest
from onnx import TensorProto as T
from onnx import helper as h

from pytest_navigator.errors import StepFailed
from pytest_navigator.formats.onnx_file import conform
from pytest_navigator.records import Signature
from pytest_navigator.records import TensorSpec

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
