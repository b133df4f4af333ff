"""OpenVINO: what it makes of an ONNX file, and what it gives back, type by type."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import ml_dtypes
import numpy as np
import pytest
from onnx import TensorProto, helper, save

from pytest_navigator import OpenVINOConfig
from pytest_navigator.backends.openvino import runner as runners
from pytest_navigator.backends.openvino.format import OpenVINOFormat
from pytest_navigator.backends.openvino.model import capabilities
from pytest_navigator.core.records import Signature, TensorSpec
from pytest_navigator.core.variants import Variant
from pytest_navigator.devices import requirements
from pytest_navigator.errors import ConfigError, StepFailed, Unavailable
from pytest_navigator.formats.base import LoaderData

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pytest_navigator.backends.openvino.runner import OpenVINORunner

pytest.importorskip("openvino")

TYPES = {
    "float32": TensorProto.FLOAT,
    "float16": TensorProto.FLOAT16,
    "float64": TensorProto.DOUBLE,
    "bfloat16": TensorProto.BFLOAT16,
    "int64": TensorProto.INT64,
    "int8": TensorProto.INT8,
    "str": TensorProto.STRING,
}
ONNX = Variant("onnx", "onnx", None, "model.onnx", {})


def spec(name: str, dtype: str, shape: Sequence[int]) -> TensorSpec:
    return TensorSpec(name, tuple(shape), dtype, {0: "n"} if shape else {}, bool(shape))


@pytest.fixture
def convert(tmp_path: Path) -> Callable[..., OpenVINORunner]:
    """Convert y = x + x of a type (and a "w" that nothing uses); the runner is not yet activated."""

    def convert(
        dtype: str = "float32",
        config: OpenVINOConfig | None = None,
        shape: Sequence[int] = (-1, 2),
        name: str = "OpenVINOCPU",
        operator: str = "Add",
    ):
        dims = ["n" if size < 0 else size for size in shape]
        values = [helper.make_tensor_value_info(name, TYPES[dtype], dims) for name in ("w", "x", "y")]
        node = helper.make_node(
            "Identity" if dtype == "str" else operator, ["x"] if dtype == "str" else ["x", "x"], ["y"]
        )
        model = helper.make_model(helper.make_graph([node], "g", values[:2], values[2:]))
        model.ir_version = 10
        save(model, tmp_path / "model.onnx")
        inputs = tuple(spec(name, dtype, shape) for name in ("w", "x"))
        signature = Signature(inputs, (spec("y", dtype, shape),), {"args": [], "kwargs": []}, {"leaf": "y"}, 0, "numpy")
        variant = OpenVINOFormat().variants(config or OpenVINOConfig(), [ONNX])[-1]
        path = tmp_path / variant.key / variant.file
        path.parent.mkdir()
        OpenVINOFormat().convert(tmp_path / "model.onnx", LoaderData({}), signature, variant, path)
        runner = next(each for each in OpenVINOFormat().runner_specs if each.name == name)
        return runner.load()(path, signature, variant.parameters)

    return convert


@pytest.mark.parametrize("dtype", ["float32", "float16", "float64", "bfloat16", "int64", "int8"])
def test_an_inference_keeps_the_type_and_takes_inputs_by_their_order(
    convert: Callable[..., OpenVINORunner], dtype: str
) -> None:
    kind = np.dtype(getattr(ml_dtypes, dtype, dtype))
    x, w = np.array([[3, -7], [50, 0], [1, 2]]).astype(kind), np.zeros((1, 2), kind)
    with convert(dtype) as runner:
        for feed in ({"w": w, "x": x}, {"x": x[::2], "w": w}, {"x": x[:0], "w": w}):
            (found,) = runner.infer(feed).values()
            assert found.dtype == kind
            assert found.tolist() == (feed["x"] + feed["x"]).tolist()


def test_what_an_inference_gave_is_not_changed_by_the_next_one(convert: Callable[..., OpenVINORunner]) -> None:
    ones, w = np.ones((2, 2), np.float32), np.zeros((1, 2), np.float32)
    with convert() as runner:
        first = runner.infer({"x": ones, "w": w})["y"]
        runner.infer({"x": 5 * ones, "w": w})
        assert first.tolist() == (2 * ones).tolist()
        settings = runner.settings()
    assert settings["INFERENCE_NUM_THREADS"] > 0
    assert (settings["INFERENCE_PRECISION_HINT"], settings["PERFORMANCE_HINT"]) == ("float32", "LATENCY")
    assert settings["layers"] == "f32: 1"
    assert settings["ENABLE_CPU_PINNING"] is False


def test_bfloat16_is_what_the_layers_compute_in(convert: Callable[..., OpenVINORunner]) -> None:
    if "BF16" not in capabilities():
        pytest.skip("this processor has no bfloat16")
    x = np.array([[1.001, 0], [0, 257]], "f4")
    with convert(config=OpenVINOConfig(precision="bf16"), shape=(2, 2), operator="MatMul") as runner:
        found = runner.infer({"x": x, "w": x})["y"]
        settings = runner.settings()
    assert found.dtype == "float32"
    assert found.tolist() == [[1, 0], [0, 65536]]
    assert (settings["INFERENCE_PRECISION_HINT"], settings["layers"]) == ("bfloat16", "bf16: 1")


def test_what_has_nothing_to_compute_in_bfloat16_fails(convert: Callable[..., OpenVINORunner]) -> None:
    if "BF16" not in capabilities():
        pytest.skip("this processor has no bfloat16")
    with pytest.raises(StepFailed, match=r"no layer of the model in bfloat16 \(1 in f32\)"):
        convert("float32", OpenVINOConfig(precision="bf16")).activate()


def test_a_processor_without_bfloat16_is_said_instead_of_computing_in_float32(
    convert: Callable[..., OpenVINORunner], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runners, "capabilities", lambda: ["FP32", "INT8"])
    with pytest.raises(Unavailable, match="this processor has no bfloat16 for OpenVINO, which lists FP32, INT8"):
        convert(config=OpenVINOConfig(precision="bf16")).activate()


@pytest.mark.parametrize("rows", [0, 1, 2, 5])
def test_the_rows_of_a_batch_run_at_once_and_come_back_in_their_order(
    convert: Callable[..., OpenVINORunner], rows: int
) -> None:
    x, w = np.arange(2 * rows, dtype="f4").reshape(rows, 2), np.zeros((rows, 2), "f4")
    with convert(name="OpenVINOThroughputCPU") as runner:
        assert runner.infer({"x": x, "w": w})["y"].tolist() == (2 * x).tolist()
        runner.bind({"x": x, "w": w})()
        settings = runner.settings()
    assert settings["PERFORMANCE_HINT"] == "THROUGHPUT"
    assert settings["requests"] >= 1


def test_what_has_no_rows_is_one_request(convert: Callable[..., OpenVINORunner]) -> None:
    with convert(shape=(), name="OpenVINOThroughputCPU") as runner:
        found = runner.infer({"x": np.array(4, np.float32), "w": np.array(0, np.float32)})["y"]
    assert (found.shape, found.item()) == ((), 8.0)


def test_a_scalar_has_no_axes(convert: Callable[..., OpenVINORunner]) -> None:
    with convert(shape=()) as runner:
        found = runner.infer({"x": np.array(4, np.float32), "w": np.array(0, np.float32)})["y"]
    assert (found.shape, found.item()) == ((), 8.0)


def test_text_is_refused_before_the_runtime_ends_the_process(convert: Callable[..., OpenVINORunner]) -> None:
    with pytest.raises(StepFailed, match="'w' is text, which OpenVINO's runtime for Python cannot take or give"):
        convert("str")


def test_a_file_that_is_damaged_says_so(convert: Callable[..., OpenVINORunner]) -> None:
    runner = convert()
    (runner.artifact / "model.xml").write_text("<net")  # type: ignore[operator]
    with pytest.raises(StepFailed, match="OpenVINO cannot load the model: "):
        runner.activate()


def test_a_precision_is_a_variant_and_keeps_what_the_onnx_file_is_called(tmp_path: Path) -> None:
    parents = [ONNX, Variant("onnx-opset17", "onnx", None, "model.onnx", {})]
    found = OpenVINOFormat().variants(OpenVINOConfig(precision=("fp32", "fp16")), parents)

    keys = ["openvino", "openvino-fp16", "openvino-opset17", "openvino-opset17-fp16"]
    assert [variant.key for variant in found] == keys
    assert [variant.parent for variant in found] == ["onnx", "onnx", "onnx-opset17", "onnx-opset17"]
    assert OpenVINOFormat().named("openvino-fp16") == OpenVINOConfig(precision="fp16")


@pytest.mark.parametrize("precision", ["fp8", (), ("fp16", "fp16"), "half"])
def test_another_precision_is_refused(precision: object) -> None:
    with pytest.raises(
        ConfigError, match=r"OpenVINOConfig.precision=.* is not possible \(valid: 'fp32', 'fp16', 'bf16', 'int8'\)"
    ):
        OpenVINOConfig(precision=precision)  # type: ignore[arg-type]


def test_what_is_measured_beside_float32_is_made_with_it() -> None:
    found = OpenVINOFormat().variants(OpenVINOConfig(precision="bf16"), [ONNX])
    assert [(variant.key, variant.reference) for variant in found] == [("openvino", ""), ("openvino-bf16", "openvino")]


TELLING = """
import sys
from pytest_navigator.backends.openvino.model import untold, write_model
write_model(sys.argv[1], sys.argv[2], eval(sys.argv[3]), half=False)
untold("nncf")
assert "openvino_telemetry" not in sys.modules
"""


@pytest.mark.parametrize("options", [{}, {"input": [("x", [4, 2]), ("w", [1, 2])]}])
def test_neither_an_import_nor_a_conversion_is_told_to_anybody(
    convert: Callable[..., OpenVINORunner], tmp_path: Path, options: dict[str, object]
) -> None:
    # Its telemetry, which CI alone turns off, leaves an identity in the home folder with the first import.
    convert()
    outside = {name: value for name, value in os.environ.items() if name not in ("CI", "TF_BUILD", "JENKINS_URL")}
    outside |= {"HOME": str(tmp_path / "home"), "USERPROFILE": str(tmp_path / "home")}
    (tmp_path / "home").mkdir()
    source, target = tmp_path / "model.onnx", tmp_path / "told"
    subprocess.run([sys.executable, "-c", TELLING, source, target, repr(options)], env=outside, check=True)
    assert (target / "model.xml").is_file()
    assert list((tmp_path / "home").iterdir()) == []


def test_options_of_the_converter_are_passed_on(convert: Callable[..., OpenVINORunner]) -> None:
    with convert(config=OpenVINOConfig(custom_args={"input": [("w", [1, 2]), ("x", [4, 2])]})) as runner:
        assert [tuple(port.shape) for port in runner.model.inputs] == [(1, 2), (4, 2)]
    with pytest.raises(StepFailed, match=r"openvino: .*nonsense"):
        convert(config=OpenVINOConfig(precision="fp16", custom_args={"nonsense": 1}))


def test_a_machine_without_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *_: None if name == "openvino" else find(name))
    monkeypatch.setattr(requirements, "metadata", lambda _: _Extras())
    requirements._check.cache_clear()
    text = requirements.missing(OpenVINOFormat.runners[0].requires)
    requirements._check.cache_clear()
    assert text == "openvino is not installed (pip install pytest-navigator[openvino])"


class _Extras:
    """The metadata of an installation, whose extras may be of another version where the tests run from a checkout."""

    def get_all(self, name: str) -> list[str]:
        assert name == "Provides-Extra"
        return ["torch", "openvino"]
