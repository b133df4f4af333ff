"""Small model files, made with onnx alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto
from onnx import helper
from onnx import numpy_helper

if TYPE_CHECKING:
    from pathlib import Path

Shape = "Sequence[int | str | None]"
OPSET = 18
IR_VERSION = 10


def linear(
    path: Path,
    *,
    batch: int | str | None = "batch",
    opset: int = OPSET,
    ir_version: int = IR_VERSION,
    custom: bool = False,
) -> Path:
    """Write `y = x @ w + b`, from 5 numbers to 7; with `custom`, by an operator that nobody has."""
    random = np.random.default_rng(0)
    weight = numpy_helper.from_array(random.standard_normal((5, 7)).astype("float32"), "w")
    bias = numpy_helper.from_array(random.standard_normal(7).astype("float32"), "b")
    domain = "my.company" if custom else ""
    nodes = [
        helper.make_node("SecretMatMul" if custom else "MatMul", ["x", "w"], ["product"], domain=domain),
        helper.make_node("Add", ["product", "b"], ["y"]),
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 5])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, 7])]
    graph = helper.make_graph(nodes, "linear", inputs, outputs, [weight, bias])
    imports = [helper.make_opsetid("", opset), *([helper.make_opsetid(domain, 1)] if custom else [])]
    model = helper.make_model(graph, opset_imports=imports, ir_version=ir_version)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(path))
    return path


def with_external_data(path: Path, location: str) -> Path:
    """Write the linear model with its weights in another file."""
    linear(path)
    onnx.save_model(
        onnx.load(str(path)),
        str(path),
        save_as_external_data=True,
        all_tensors_to_one_file=True,
        location=location,
        size_threshold=0,
    )
    return path


def relocated(path: Path, location: str) -> Path:
    """Change where a file says that its external data is; nothing is moved."""
    model = onnx.load(str(path), load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = location
    onnx.save(model, str(path))
    return path


def sum_of_sequences(path: Path) -> Path:
    """Write `y = sum(x) + z` with two dynamic axes and two inputs of different types."""
    nodes = [
        helper.make_node("Cast", ["ids"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["numbers", "mask"], ["y:0"]),
    ]
    inputs = [
        helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch", "length"]),
        helper.make_tensor_value_info("mask", TensorProto.FLOAT, ["batch", "length"]),
    ]
    outputs = [helper.make_tensor_value_info("y:0", TensorProto.FLOAT, ["batch", "length"])]
    graph = helper.make_graph(nodes, "product", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.save(model, str(path))
    return path
