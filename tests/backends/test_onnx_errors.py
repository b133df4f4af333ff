from __future__ import annotations

import re
from typing import TYPE_CHECKING

import onnx
import pytest
from onnx import TensorProto as T
from onnx import helper as h

from pytest_navigator.backends.builtin import known
from pytest_navigator.backends.onnx.errors import cause
from pytest_navigator.core.records import Signature
from pytest_navigator.errors import StepFailed

if TYPE_CHECKING:
    from pathlib import Path

OnnxCPU = known().runners()["OnnxCPU"].load()


def saved(path: Path, ir_version: int, opset: int, kind: int = T.FLOAT, operator: str = "Relu") -> Path:
    """Write a file of one operator."""
    values = [h.make_tensor_value_info(name, kind, [2]) for name in ("x", "y")]
    graph = h.make_graph([h.make_node(operator, ["x"], ["y"])], "graph", values[:1], values[1:])
    onnx.save(h.make_model(graph, opset_imports=[h.make_opsetid("", opset)], ir_version=ir_version), path)
    return path


def refused(path: Path) -> str:
    """Return why the runner does not load a file."""
    with pytest.raises(StepFailed) as caught:
        OnnxCPU(path, Signature((), (), {}, {}, None, "numpy"), {}).activate()
    return str(caught.value)


def test_what_is_said_to_help_was_tried_and_loads(tmp_path: Path) -> None:
    path = saved(tmp_path / "model.onnx", 99, 17)
    message = refused(path)
    found = re.search(r"it loads when it is saved with model.ir_version = (\d+) \(onnx.save\)$", message)
    assert found, message
    saved(path, int(found[1]), 17)
    OnnxCPU(path, Signature((), (), {}, {}, None, "numpy"), {}).activate()


def test_an_opset_that_is_too_new_as_well_is_said_with_the_ir_version(tmp_path: Path) -> None:
    newest = int(onnx.defs.onnx_opset_version())
    message = refused(saved(tmp_path / "model.onnx", 99, newest + 1))
    assert re.search(r"has IR version 99, this version takes none above \d+; (it loads with|with model.ir_v)", message)
    assert "opset" in message


def test_nothing_is_advised_where_nothing_helps(tmp_path: Path) -> None:
    message = refused(saved(tmp_path / "model.onnx", 9, 18, T.INT16, "Max"))
    assert re.search(r"does not implement the operator Max in the version of opset \d+ for these types$", message)


@pytest.mark.parametrize(
    ("domain", "said"),
    [
        ("ai.onnx.preview", "this version has no operator Flex of 'ai.onnx.preview'"),
        ("", "this version has no operator Flex"),
        ("com.microsoft", "this version has no operator Flex of 'com.microsoft'"),
    ],
)
def test_nobody_is_asked_to_register_an_operator_of_onnx_itself(domain: str, said: str) -> None:
    assert cause(f"Fatal error: {domain}:Flex(-1) is not a registered function/op") == said
    assert "register_custom_ops_library" in cause("Fatal error: shop:Flex(-1) is not a registered function/op")


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        (
            "[ONNXRuntimeError] : 9 : NOT_IMPLEMENTED : Could not find an implementation for RandomUniformLike(22) "
            "node with name ''",
            "it does not implement the operator RandomUniformLike in the version of opset 22 for these types",
        ),
        (
            "[ONNXRuntimeError] : 1 : FAIL : Load model from m.onnx failed:/onnxruntime_src/core/graph/graph.cc:61 "
            "void onnxruntime::Graph::Check(const std::string&, int) const Two nodes (a and b) have one name",
            "Two nodes (a and b) have one name",
        ),
        ("[ONNXRuntimeError] : 1 : FAIL : Type Error: input (a) of node (b)", "Type Error: input (a) of node (b)"),
    ],
)
def test_the_reason_is_left_of_an_error(text: str, meaning: str) -> None:
    assert cause(text) == meaning
