"""A model that no single execution provider runs, and the runner that a user adds for the one that runs most of it."""

from __future__ import annotations

CONFTEST = """
from pytest_navigator.backends.onnx.runners import OnnxRunner


class OnnxOpenVINO(OnnxRunner):
    name = "OnnxOpenVINO"
    format = "onnx"
    runtime = "openvino"
    requires = ("onnxruntime",)
    provider = "OpenVINOExecutionProvider"


def pytest_nav_runners():
    return [OnnxOpenVINO]
"""

MODEL = """
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

node = helper.make_node
nodes = [
    node("Add", ["x", "x"], ["a"], "first"),
    node("Inverse", ["a"], ["b"], "Inverse_4", domain="com.microsoft"),
    node("Shape", ["b"], ["s"], "shape"),
    node("Gather", ["s", "zero"], ["d"], "rows"),
    node("Unsqueeze", ["d", "front"], ["u"], "row"),
    node("Concat", ["u", "rest"], ["t"], "target", axis=0),
    node("Reshape", ["b", "t"], ["r"], "flat"),
    node("MatMul", ["r", "w"], ["m"], "product"),
    node("Relu", ["m"], ["y"], "last"),
]
constants = {"zero": np.int64(0), "front": np.array([0]), "rest": np.array([16]), "w": np.eye(16, 4, dtype="float32")}
graph = helper.make_graph(
    nodes,
    "split",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 4, 4])],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 4])],
    [numpy_helper.from_array(np.array(value), name) for name, value in constants.items()],
)
opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), "split.onnx")
"""
