from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from pytest_navigator.backends.builtin import known
from pytest_navigator.backends.onnx import ort_values
from pytest_navigator.core.records import Signature, TensorSpec
from pytest_navigator.errors import ConfigError, StepFailed

if TYPE_CHECKING:
    from pathlib import Path

OnnxCPU = known().runners()["OnnxCPU"].load()
OnnxCUDA = known().runners()["OnnxCUDA"].load()


def one_node(
    path: Path, operator: str, kind: int, dtype: str, outputs: tuple[str, ...] = ("y",), **attributes: Any
) -> Any:
    """Write a model of one node and return (path, signature with the one output "y")."""
    values = [helper.make_tensor_value_info(name, kind, ["batch", "n"]) for name in ("x", *outputs)]
    node = helper.make_node(operator, ["x"], list(outputs), **attributes)
    graph = helper.make_graph([node], "graph", values[:1], values[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path / "model.onnx")
    specs = [(TensorSpec(name, (-1, -1), dtype, {0: "batch", 1: "n"}, True),) for name in ("x", "y")]
    return path / "model.onnx", Signature(*specs, {}, {}, 0, "torch")


@pytest.fixture
def identity(tmp_path: Path) -> Any:
    return one_node(tmp_path, "Identity", TensorProto.FLOAT, "float32")


def test_an_inference_gives_the_outputs_by_name(identity: Any) -> None:
    x = np.ones((2, 3), "float32")
    with OnnxCPU(*identity, {}) as runner:
        np.testing.assert_array_equal(runner.infer({"x": x})["y"], x, strict=True)
        np.testing.assert_array_equal(runner.infer({"x": x[:, ::-1][:0]})["y"], x[:0], strict=True)


def test_the_bound_call_is_the_bare_session_call(identity: Any) -> None:
    x = np.ones((2, 3), "float32")
    with OnnxCPU(*identity, {}) as runner:
        call = runner.bind({"x": x})
        assert call.func == runner.session.run
        np.testing.assert_array_equal(call()[0], x)


def test_a_wrong_type_is_named_with_both_types(identity: Any) -> None:
    with OnnxCPU(*identity, {}) as runner:
        with pytest.raises(StepFailed, match="input 'x' is float64, the ONNX file takes float32"):
            runner.infer({"x": np.ones((2, 3))})
        with pytest.raises(StepFailed, match=r"has an input 'x', the model has \['z'\]"):
            runner.bind({"z": np.ones((2, 3), "float32")})


@pytest.mark.parametrize(
    ("dtype", "kind"), [("bfloat16", TensorProto.BFLOAT16), ("str", TensorProto.STRING), ("bool", TensorProto.BOOL)]
)
def test_types_that_numpy_lacks_or_treats_differently_come_back_equal(dtype: str, kind: int, tmp_path: Path) -> None:
    array = np.array([["1", "0"], ["0", "1"]])
    x = array if dtype == "str" else array.astype("float32").astype(getattr(ml_dtypes, dtype, dtype))
    with OnnxCPU(*one_node(tmp_path, "Identity", kind, dtype), {}) as runner:
        found = runner.infer({"x": x})["y"]
        assert found.tolist() == x.tolist()
        assert dtype == "str" or found.dtype == x.dtype
        runner.bind({"x": x})()


@pytest.mark.parametrize("shape", [(2, 3), (3, 3), (0, 3), (1, 1)], ids=str)
@pytest.mark.parametrize(
    ("dtype", "kind", "values"),
    [
        ("int4", TensorProto.INT4, [-8, -1, 0, 7, 3]),
        ("uint4", TensorProto.UINT4, [0, 15, 9]),
        ("float8_e4m3fn", TensorProto.FLOAT8E4M3FN, [-448.0, 0.5, 0.0]),
        ("float8_e5m2", TensorProto.FLOAT8E5M2, [1.0, -2.0]),
        ("bfloat16", TensorProto.BFLOAT16, [1.5, -3.0]),
    ],
)
def test_types_of_a_few_bits_are_fed_and_read_by_their_bits(
    dtype: str, kind: int, values: list[float], shape: tuple[int, int], tmp_path: Path
) -> None:
    path, signature = one_node(tmp_path, "Cast", kind, dtype, to=TensorProto.FLOAT)
    model = onnx.load(path)
    model.ir_version, model.opset_import[0].version = 10, 21  # the first ones with types of four bits
    model.graph.node[0].output[:] = ["wide"]
    model.graph.node.append(helper.make_node("Cast", ["wide"], ["y"], to=kind))
    onnx.save(model, path)
    x = np.resize(np.array(values), shape).astype(getattr(ml_dtypes, dtype))
    with OnnxCPU(path, signature, {}) as runner:
        np.testing.assert_array_equal(runner.infer({"x": x})["y"], x, strict=True)
        runner.bind({"x": x})()


@pytest.mark.parametrize("dtype", ["int4", "uint4", "float8_e4m3fn", "bfloat16", "float4_e2m1fn", "int2", "uint2"])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 5, 8])
def test_packed_bits_come_back(dtype: str, count: int) -> None:
    kind = np.dtype(getattr(ml_dtypes, dtype))
    x = (np.arange(count) % 2 - 1 if dtype.startswith(("int", "float")) else np.arange(count) % 4).astype(kind)
    stored = ort_values.packed(x)
    size = -(-count * ort_values.bits(kind) // 8)
    assert stored.shape == x.shape
    found = ort_values.unpacked(stored.view(np.uint8)[:size], kind, count)
    np.testing.assert_array_equal(found, x, strict=True)


def test_more_outputs_than_the_models_are_numbered(tmp_path: Path) -> None:
    path, signature = one_node(tmp_path, "Split", TensorProto.FLOAT, "float32", ("y", "z"), axis=0, num_outputs=2)
    with OnnxCPU(path, signature, {}) as runner:
        assert list(runner.infer({"x": np.ones((2, 3), "float32")})) == ["output__0", "output__1"]


def test_a_silent_fall_back_to_another_provider_fails(identity: Any) -> None:
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("CUDA is there: nothing falls back")
    with (
        pytest.warns(UserWarning, match="not in available provider names"),
        pytest.raises(
            StepFailed, match="OnnxCUDA: ONNX Runtime fell back from CUDAExecutionProvider to CPUExecutionProvider"
        ),
    ):
        OnnxCUDA(*identity, {}).activate()


def test_a_session_option_that_takes_a_member_of_an_enumeration_takes_its_name(identity: Any) -> None:
    options = {"graph_optimization_level": "ORT_DISABLE_ALL", "execution_mode": "ORT_PARALLEL"}
    with OnnxCPU(*identity, {"custom_args": {"session_options": options}}) as runner:
        settings = runner.settings()
    assert {name: settings[name] for name in options} == options
    with pytest.raises(ConfigError, match="'ORT_PARALEL'; did you mean 'ORT_PARALLEL'"):
        OnnxCPU(*identity, {"custom_args": {"session_options": {"execution_mode": "ORT_PARALEL"}}}).activate()


def test_session_options_are_set_and_reported(identity: Any) -> None:
    parameters = {"custom_args": {"session_options": {"intra_op_num_threads": 1}}}
    with OnnxCPU(*identity, parameters) as runner:
        settings = runner.settings()
    assert settings["intra_op_num_threads"] == 1
    assert settings["providers"] == ["CPUExecutionProvider"]
    with pytest.raises(ConfigError, match="no attribute 'threads'"):
        OnnxCPU(*identity, {"custom_args": {"session_options": {"threads": 1}}}).activate()


class Bound(OnnxCUDA):
    """What OnnxCUDA does with bound values, on the processor."""

    device, provider = "cpu", "CPUExecutionProvider"


def test_values_that_are_bound_are_run_and_copied(identity: Any) -> None:
    feed = {"x": np.ones((2, 3), np.float32)}
    with Bound(*identity, {}) as runner:
        returned = runner.bind(feed)()
        assert runner.copies(feed, returned)() is None
        np.testing.assert_array_equal(returned.copy_outputs_to_cpu()[0], feed["x"])
    with OnnxCPU(*identity, {}) as runner:
        assert runner.copies(feed, runner.bind(feed)()) is None


def test_what_numpy_does_not_have_is_run_and_not_copied(tmp_path: Path) -> None:
    feed = {"x": np.ones((2, 3), ml_dtypes.bfloat16)}
    with Bound(*one_node(tmp_path, "Identity", TensorProto.BFLOAT16, "bfloat16"), {}) as runner:
        assert runner.copies(feed, runner.bind(feed)()) is None
