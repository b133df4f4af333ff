"""A network in another precision gives the numbers that the precision allows, and keeps its inputs and outputs."""

from __future__ import annotations

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from onnx import (  # noqa: E402
    TensorProto,
    helper,
    numpy_helper,
)

from pytest_navigator.backends.tensorrt.network import (  # noqa: E402
    axes,
    write,
)
from pytest_navigator.errors import StepFailed  # noqa: E402

RANDOM = np.random.default_rng(0)
SAMPLES = [{"x": RANDOM.standard_normal((rows, 3, 8, 8)).astype(np.float32)} for rows in (2, 2, 4)]
HALF = (TensorProto.FLOAT16, TensorProto.BFLOAT16)


def weights(name, *shape):
    values = (RANDOM.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)
    return numpy_helper.from_array(values, name)


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    nodes = [
        helper.make_node("Conv", ["x", "kernel"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("GlobalAveragePool", ["r"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("Gemm", ["f", "matrix"], ["y"], transB=1),
    ]
    shape = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3, 8, 8])
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 4])
    graph = helper.make_graph(nodes, "net", [shape], [result], [weights("kernel", 8, 3, 3, 3), weights("matrix", 4, 8)])
    path = tmp_path_factory.mktemp("network") / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
    return path


def run(path, sample):
    if "bf16" in path.name:  # ONNX Runtime has no bfloat16 on processors
        from onnx.reference import ReferenceEvaluator

        return ReferenceEvaluator(str(path)).run(None, sample)[0]
    options = onnxruntime.SessionOptions()
    # Its optimiser makes a QLinearConv of float8, which it then does not have.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return session.run(None, sample)[0]


@pytest.mark.parametrize("mode", ["hierarchy", "single"])
@pytest.mark.parametrize(("precision", "tolerance"), [("fp16", 2e-3), ("bf16", 2e-2), ("int8", 5e-2), ("fp8", 1e-1)])
def test_its_numbers_are_the_models_within_the_precision(network, tmp_path, precision, mode, tolerance):
    path = tmp_path / f"{precision}.onnx"
    assert write(network, {"precision": precision, "precision_mode": mode}, SAMPLES, path) == []
    for sample in SAMPLES:
        expected, found = run(network, sample), run(path, sample)
        assert found.dtype == np.float32
        error = np.abs(found - expected).max() / np.abs(expected).max()
        assert 0 < error < tolerance


def types(path):
    model = onnx.load(path)
    return {tensor.name: tensor.data_type for tensor in model.graph.initializer}


@pytest.mark.parametrize(("precision", "kind"), [("fp16", TensorProto.FLOAT16), ("bf16", TensorProto.BFLOAT16)])
def test_the_weights_are_in_the_precision_and_the_inputs_are_not(network, tmp_path, precision, kind):
    path = tmp_path / "network.onnx"
    write(network, {"precision": precision, "precision_mode": "single"}, (), path)
    assert set(types(path).values()) == {kind}
    (value,) = onnx.load(path).graph.input
    assert value.type.tensor_type.elem_type == TensorProto.FLOAT


def test_bfloat16_weights_are_rounded_once(network, tmp_path):
    import ml_dtypes

    path = tmp_path / "network.onnx"
    write(network, {"precision": "bf16", "precision_mode": "single"}, (), path)
    before, after = (
        {t.name: numpy_helper.to_array(t) for t in onnx.load(p).graph.initializer} for p in (network, path)
    )
    for name, values in before.items():
        assert (after[name].astype(np.float32) == values.astype(ml_dtypes.bfloat16).astype(np.float32)).all()


@pytest.mark.parametrize("precision", ["int8", "fp8"])
def test_what_is_not_quantized_is_half_in_a_hierarchy_and_float32_otherwise(network, tmp_path, precision):
    found = {}
    for mode in ("hierarchy", "single"):
        path = tmp_path / f"{mode}.onnx"
        write(network, {"precision": precision, "precision_mode": mode}, SAMPLES, path)
        found[mode] = {kind for kind in types(path).values() if kind in (*HALF, TensorProto.FLOAT)}
    assert found["single"] == {TensorProto.FLOAT}
    assert TensorProto.FLOAT16 in found["hierarchy"]


def test_a_quantized_network_is_signed_and_symmetric_and_its_bias_is_not_quantized(network, tmp_path):
    path = tmp_path / "network.onnx"
    write(network, {"precision": "int8", "precision_mode": "single"}, SAMPLES, path)
    model = onnx.load(path)
    points = [t for t in model.graph.initializer if t.name.endswith("zero_point")]
    assert points
    assert {t.data_type for t in points} == {TensorProto.INT8}
    assert all((numpy_helper.to_array(t) == 0).all() for t in points)
    assert TensorProto.INT32 not in types(path).values()


def test_a_network_that_was_trained_quantized_is_left_as_it_is(network, tmp_path):
    trained, again = tmp_path / "trained.onnx", tmp_path / "again.onnx"
    write(network, {"precision": "int8", "precision_mode": "single"}, SAMPLES, trained)
    (note,) = write(trained, {"precision": "int8", "precision_mode": "hierarchy"}, SAMPLES, again)
    assert "left as they are for int8" in note
    assert onnx.load(again).graph == onnx.load(trained).graph


def test_without_samples_nothing_is_quantized(network, tmp_path):
    with pytest.raises(StepFailed, match="int8 needs samples to calibrate with, and there are none"):
        write(network, {"precision": "int8", "precision_mode": "single"}, [], tmp_path / "network.onnx")


def constant(output, **value):
    return helper.make_node("Constant", [], [output], **value)


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_constants_without_names_and_of_numbers_keep_their_values(tmp_path, precision):
    two, three = (helper.make_tensor("", TensorProto.FLOAT, [], [v]) for v in (2.0, 3.0))
    nodes = [
        constant("two", value=two),
        constant("three", value=three),
        constant("half", value_float=0.5),
        constant("row", value_floats=[1.0, 2.0]),
        helper.make_node("Mul", ["x", "two"], ["a"]),
        helper.make_node("Add", ["a", "three"], ["b"]),
        helper.make_node("Mul", ["b", "half"], ["c"]),
        helper.make_node("Add", ["c", "row"], ["y"]),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 2]) for name in "xy"]
    graph = helper.make_graph(nodes, "net", ends[:1], ends[1:])
    source, path = tmp_path / "model.onnx", tmp_path / f"{precision}.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), source)
    write(source, {"precision": precision, "precision_mode": "single"}, (), path)
    x = np.array([[1.0, 2.0]], np.float32)
    assert run(path, {"x": x}).tolist() == ((2 * x + 3) * 0.5 + [1.0, 2.0]).tolist()


def test_a_model_with_nothing_to_quantize_is_none_of_int8(tmp_path):
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 2]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "net", ends[:1], ends[1:])
    source = tmp_path / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), source)
    parameters = {"precision": "int8", "precision_mode": "single"}
    with pytest.raises(StepFailed, match="there is nothing to quantize"):
        write(source, parameters, [{"x": np.ones((1, 2), np.float32)}], tmp_path / "network.onnx")


def test_the_names_of_its_inputs_dimensions_are_read_without_its_weights(network):
    assert axes(network) == {"x": {0: "batch"}}
