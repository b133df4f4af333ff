"""Which sizes of an ONNX file's axes are one size: those with one name, not those that are unknown in the same way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import onnx
from onnx import TensorProto, helper

from pytest_navigator.backends.onnx.description import describe

if TYPE_CHECKING:
    from pathlib import Path


def axes_of(path: Path, *dims: int | str | None) -> dict[int, str]:
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, dims)
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "relu", [value], [result])
    onnx.save(helper.make_model(graph), str(path / "relu.onnx"))
    return dict(describe(path / "relu.onnx", {}).inputs[0].axes)


def test_question_marks_are_sizes_of_their_own(tmp_path: Path) -> None:
    assert axes_of(tmp_path, "-1", 3, "?", "?", "") == {0: "x_0", 2: "x_2", 3: "x_3", 4: "x_4"}


def test_equal_names_are_one_size_and_expressions_keep_their_difference(tmp_path: Path) -> None:
    assert axes_of(tmp_path, "n", "n", "p2o.Dim.0") == {0: "n", 1: "n", 2: "p2o_Dim_0"}
    found = axes_of(tmp_path, "n + 1", "n - 1", "n * 1", "n / 1", "n-1")
    assert len(set(found.values())) == 5
    assert found[0] == "n__plus__1"
    assert all(symbol.isidentifier() for symbol in found.values())
