"""Small model files, made with onnx alone."""

from __future__ import annotations

import importlib.util
import warnings
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from pathlib import Path

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


def product(path: Path) -> Path:
    """Write `y = ids * mask`, with two dynamic axes, two types, and an output whose name is no identifier."""
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


def recurrent(path: Path) -> Path:
    """Write `y = x + state[0] + state[1]`, with the batch on the first axis of `x` and on the second one of `state`."""
    axes = numpy_helper.from_array(np.array([0]), "axes")
    nodes = [
        helper.make_node("ReduceSum", ["state", "axes"], ["sum"], keepdims=0),
        helper.make_node("Add", ["x", "sum"], ["y"]),
    ]
    inputs = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 5]),
        helper.make_tensor_value_info("state", TensorProto.FLOAT, [2, "batch", 5]),
    ]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 5])]
    graph = helper.make_graph(nodes, "recurrent", inputs, outputs, [axes])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.save(model, str(path))
    return path


def columns(path: Path) -> Path:
    """Write `y = sum of x over axis 0`, of any number of rows and columns, times a `table` with one number a column."""
    axes = numpy_helper.from_array(np.array([0]), "axes")
    nodes = [
        helper.make_node("ReduceSum", ["x", "axes"], ["sum"], keepdims=0),
        helper.make_node("Mul", ["sum", "table"], ["y"]),
    ]
    inputs = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, ["length", "columns"]),
        helper.make_tensor_value_info("table", TensorProto.FLOAT, ["columns"]),
    ]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["columns"])]
    graph = helper.make_graph(nodes, "columns", inputs, outputs, [axes])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.save(model, str(path))
    return path


def similarity(path: Path) -> Path:
    """Write `y = x @ table.T`: the rows of both are dynamic, but only those of `x` are a batch."""
    node = helper.make_node("Gemm", ["x", "table"], ["y"], transB=1)
    inputs = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 5]),
        helper.make_tensor_value_info("table", TensorProto.FLOAT, ["rows", 5]),
    ]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", "rows"])]
    graph = helper.make_graph([node], "similarity", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.save(model, str(path))
    return path


def expand(path: Path) -> Path:
    """Write `y = x` expanded to `shape`, which takes few numbers: 3 axes of x have 2 elements."""
    inputs = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 2, 2]),
        helper.make_tensor_value_info("shape", TensorProto.INT64, [3]),
    ]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["a", "b", "c"])]
    graph = helper.make_graph([helper.make_node("Expand", ["x", "shape"], ["y"])], "expand", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.save(model, str(path))
    return path


def constant(path: Path) -> Path:
    """Write a model without inputs."""
    node = helper.make_node("Constant", [], ["y"], value=numpy_helper.from_array(np.ones(3, "float32"), "one"))
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [3])]
    graph = helper.make_graph([node], "constant", [], outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.save(model, str(path))
    return path


def texts(path: Path) -> Path:
    """Write `y = a + b` of text."""
    inputs = [helper.make_tensor_value_info(name, TensorProto.STRING, ["batch"]) for name in "ab"]
    outputs = [helper.make_tensor_value_info("y", TensorProto.STRING, ["batch"])]
    node = helper.make_node("StringConcat", ["a", "b"], ["y"])
    graph = helper.make_graph([node], "texts", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=IR_VERSION)
    onnx.save(model, str(path))
    return path


def sequence(path: Path) -> Path:
    """Write a model that takes a list of tensors."""
    node = helper.make_node("ConcatFromSequence", ["x"], ["y"], axis=0)
    inputs = [helper.make_tensor_sequence_value_info("x", TensorProto.FLOAT, ["batch", 5])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", 5])]
    graph = helper.make_graph([node], "sequence", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.save(model, str(path))
    return path


def classifier(path: Path) -> Path:
    """Write a model as converters of scikit-learn do: the label, and a list of dicts of probabilities."""
    nodes = [
        helper.make_node("ArgMax", ["x"], ["label"], axis=1, keepdims=0),
        helper.make_node("Softmax", ["x"], ["probabilities"]),
        helper.make_node(
            "ZipMap", ["probabilities"], ["output_probability"], domain="ai.onnx.ml", classlabels_int64s=[0, 1, 2]
        ),
    ]
    pairs = helper.make_map_type_proto(TensorProto.INT64, helper.make_tensor_type_proto(TensorProto.FLOAT, []))
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3])]
    outputs = [
        helper.make_tensor_value_info("label", TensorProto.INT64, ["batch"]),
        helper.make_value_info("output_probability", helper.make_sequence_type_proto(pairs)),
    ]
    graph = helper.make_graph(nodes, "classifier", inputs, outputs)
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION), str(path))
    return path


def torch_files(folder: Path) -> None:
    """Write a module of two inputs as TorchScript (`two.pt`) and as an exported program (`two.pt2`)."""
    torch = pytest.importorskip("torch")

    class Two(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.linear = torch.nn.Linear(5, 7)

        def forward(self, x, mask):  # type: ignore[no-untyped-def]
            return self.linear(x) * mask, {"sum": x.sum(1)}

    model, batch = Two().eval(), torch.export.Dim("batch")
    example = torch.randn(3, 5), torch.randn(3, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(model, example, strict=False), str(folder / "two.pt"))
        shapes = {"x": {0: batch}, "mask": {0: batch}}
        program = torch.export.export(model, example[:1], {"mask": example[1]}, dynamic_shapes=shapes)
        torch.export.save(program, str(folder / "two.pt2"))


SAVED = """
import sys
import tensorflow as tf

class Linear(tf.Module):
    def __init__(self):
        super().__init__()
        self.weight = tf.Variable(tf.random.stateless_normal((5, 7), (0, 0)))

    @tf.function(input_signature=[tf.TensorSpec([None, 5], tf.float32, name="x")])
    def __call__(self, x):
        return {"y": x @ self.weight}

    @tf.function(input_signature=[tf.TensorSpec([None, 5], tf.float32, name="x")])
    def double(self, x):
        return {"z": 2 * x}

model = Linear()
one, two = model.__call__.get_concrete_function(), model.double.get_concrete_function()
tf.saved_model.save(model, "saved", signatures=one)
tf.saved_model.save(model, "several", signatures={"first": one, "second": two})
unsigned = tf.Module()
unsigned.call = tf.function(lambda x: x)
tf.saved_model.save(unsigned, "unsigned")
"""


def saved_linear(pytester: pytest.Pytester) -> None:
    """Write three SavedModels: `saved`, `several` (signatures, none of them the default) and `unsigned`."""
    if importlib.util.find_spec("tensorflow") is None:
        pytest.skip("TensorFlow is not installed")
    script = pytester.makepyfile(make_saved=SAVED)
    assert pytester.runpython(script).ret == 0
