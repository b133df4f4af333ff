"""OpenVINO's int8 by nncf: what is calibrated, what is left out, and what is said where nothing can be done."""

from __future__ import annotations

import importlib.util
import logging
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper, save

from pytest_navigator import OpenVINOConfig, QuantizationConfig
from pytest_navigator.backends.openvino.format import OpenVINOFormat
from pytest_navigator.backends.openvino.layer_ranking import ranked
from pytest_navigator.backends.openvino.making import names_of
from pytest_navigator.backends.openvino.model import model_of, untold
from pytest_navigator.backends.openvino.quantizing import attends
from pytest_navigator.comparison.tolerances import Rule
from pytest_navigator.core.records import Signature, TensorSpec
from pytest_navigator.core.variants import Variant
from pytest_navigator.devices import requirements
from pytest_navigator.errors import ConfigError, StepFailed, Unavailable
from pytest_navigator.formats.base import LoaderData

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pytest_navigator.comparison.layer_errors import LayerError

openvino = pytest.importorskip("openvino")

ONNX = Variant("onnx", "onnx", None, "model.onnx", {})

AXES = {0: "batch"}
SIGNATURE = Signature(
    (TensorSpec("x", (-1, 3, 8, 8), "float32", AXES, batched=True),),
    (TensorSpec("y", (-1, 5), "float32", AXES, batched=True),),
    {"args": [{"leaf": "x"}], "kwargs": []},
    {"leaf": "y"},
    0,
    "numpy",
)

RANDOM = np.random.default_rng(0)
BATCHES = [{"x": RANDOM.standard_normal((4, 3, 8, 8)).astype("f4")} for _ in range(3)]


def written(path: Path, nodes: Sequence[Any], weights: dict[str, Any], shape: Sequence[Any] = ("n", 3, 8, 8)) -> None:
    """Write an ONNX file from x to y."""
    values = [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)]
    values.append(helper.make_tensor_value_info("y", TensorProto.FLOAT, None))
    stored = [numpy_helper.from_array(np.asarray(array), name) for name, array in weights.items()]
    model = helper.make_model(helper.make_graph(nodes, "g", values[:1], values[1:], stored))
    model.ir_version = 10
    save(model, path)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two convolutions, the first one in the module "stem", and a linear layer."""
    path = tmp_path_factory.mktemp("network") / "model.onnx"
    nodes = [
        helper.make_node("Conv", ["x", "a"], ["h"], "/stem/first", pads=[1] * 4),
        helper.make_node("Relu", ["h"], ["r"], "/stem/relu"),
        helper.make_node("Conv", ["r", "b"], ["s"], "second", pads=[1] * 4),
        helper.make_node("ReduceMean", ["s", "axes"], ["m"], "mean", keepdims=0),
        helper.make_node("Gemm", ["m", "c"], ["y"], "last"),
    ]
    shapes = {"a": (16, 3, 3, 3), "b": (8, 16, 3, 3), "c": (8, 5)}
    weights = {name: RANDOM.standard_normal(shape).astype("f4") / 4 for name, shape in shapes.items()}
    weights["b"][0] *= 100  # one channel that is far wider than the others
    written(path, nodes, {**weights, "axes": np.array([2, 3])})
    return path


@pytest.fixture
def quantize(network: Path, tmp_path: Path) -> Callable[..., tuple[dict[str, Any], Path]]:
    def quantize(
        batches: Any = BATCHES, parent: Path = network, rules: Any = None, **asked: Any
    ) -> tuple[dict[str, Any], Path]:
        config = OpenVINOConfig(precision="int8", quantization=QuantizationConfig(**asked))
        variant = OpenVINOFormat().variants(config, [ONNX])[-1]
        path = tmp_path / "model.openvino"
        return OpenVINOFormat().convert(
            parent, LoaderData({}, batches, rules=rules or {}), SIGNATURE, variant, path
        ), path

    return quantize


def rounding(path: Path) -> list[Any]:
    """Return what rounds activations in a quantized model."""
    model = openvino.Core().read_model(path / "model.xml")
    return [each for each in model.get_ordered_ops() if each.get_type_name() == "FakeQuantize"]


def test_it_is_calibrated_on_the_samples_and_what_was_quantized_is_told(
    quantize: Callable[..., Any], network: Path
) -> None:
    data, path = quantize()
    nodes = {"quantized": 3, "total": 3, "samples": 3, "scheme": "preset performance", "excluded": [], "left_out": []}
    assert nodes.items() <= data["quantized"].items()
    core, x = openvino.Core(), BATCHES[0]["x"]
    exact, rounded = (
        core.compile_model(str(each), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})([x])[0]
        for each in (network, path / "model.xml")
    )
    assert 0 < np.abs(exact - rounded).max() < 0.05 * np.abs(exact).max()


def test_no_more_samples_are_taken_than_configured(quantize: Callable[..., Any]) -> None:
    assert quantize(samples=2)[0]["quantized"]["samples"] == 2


def test_what_a_layer_or_a_node_is_called_stays_in_floating_point(quantize: Callable[..., Any]) -> None:
    data, _ = quantize(exclude=["stem", "last"])
    assert (data["quantized"]["quantized"], data["quantized"]["excluded"]) == (1, ["stem", "last"])
    assert data["left_out"] == ["/stem/first", "/stem/relu", "last/WithoutBiases"]


def test_every_setting_is_one_of_nncfs(quantize: Callable[..., Any]) -> None:
    batches = [{"x": batch["x"] + 1} for batch in BATCHES]

    def asked_for(scheme: str, **asked: Any) -> tuple[float, float]:
        data, path = quantize(batches, **asked)
        assert data["quantized"]["scheme"] == scheme
        low, high = (float(rounding(path)[0].input_value(i).get_node().data.max()) for i in (1, 2))
        return -low, high

    widest = asked_for("preset performance, ranges minmax", calibration_method="minmax")
    assert widest[0] == pytest.approx(widest[1], rel=0.02)
    low, high = asked_for("preset mixed, ranges minmax", calibration_method="minmax", symmetric=False)
    assert low < 0.8 * high
    narrow = asked_for("preset performance, ranges percentile 80", calibration_method="percentile", percentile=80)
    assert narrow[1] < 0.7 * widest[1]


@pytest.mark.parametrize(("asked", "scales"), [(None, 8), (True, 8), (False, 1)])
def test_weights_have_a_scale_for_each_channel_or_one(
    quantize: Callable[..., Any], asked: bool | None, scales: int
) -> None:
    model = openvino.Core().read_model(quantize(per_channel=asked)[1] / "model.xml")
    second = next(each for each in model.get_ordered_ops() if each.get_friendly_name() == "second")
    assert second.input_value(1).get_node().input_value(1).get_node().data.size == scales


@pytest.mark.parametrize(
    ("asked", "batches", "said"),
    [
        ({}, [], "there is no sample to calibrate on"),
        ({}, [{"x": np.full((1, 3, 8, 8), np.nan, "f4")}], "sample 0 has 192 values of 192 that are not finite"),
        ({"exclude": ["stm"]}, BATCHES, "exclude has 'stm', which is no layer and no node .*: did you mean 'stem'"),
        ({"exclude": ["*"]}, BATCHES, r"nncf quantized none of the 3 operations: exclude=\['\*'\] leaves all of them"),
    ],
)
def test_what_cannot_be_done_is_said(quantize: Callable[..., Any], asked: Any, batches: Any, said: str) -> None:
    with pytest.raises(StepFailed, match=said):
        quantize(batches, **asked)


def test_a_model_with_nothing_to_quantize_fails(quantize: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "sum.onnx"
    written(path, [helper.make_node("Add", ["x", "x"], ["y"])], {})
    with pytest.raises(StepFailed, match="nothing to quantize: the model has no convolution and no product of matr"):
        quantize(parent=path)


def test_a_machine_without_nncf_skips_it(quantize: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *_: None if name == "nncf" else find(name))
    monkeypatch.setattr(requirements, "_check", requirements._check.__wrapped__)  # what is known already
    with pytest.raises(Unavailable, match=r"nncf is not installed \(pip install pytest-navigator\[openvino\]\)"):
        quantize()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"calibration_method": "entropy"}, r"calibration_method='entropy'\)\): nncf finds ranges by 'minmax' or"),
    ],
)
def test_what_nncf_has_not_is_refused_by_name(asked: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        OpenVINOConfig(precision="int8", quantization=QuantizationConfig(**asked))  # type: ignore[arg-type]


def rank(network: Path, path: Path, seconds: float = 60) -> list[LayerError]:
    """Return what each operation of a quantized model adds."""
    floating = partial(model_of, str(network), {})
    return ranked(floating, model_of(str(path), {}), names_of(floating(), network), [BATCHES[0]["x"]], seconds)


def test_operations_are_ranked_by_what_each_does_to_the_outputs(quantize: Callable[..., Any], network: Path) -> None:
    # With one scale for all channels the wide one leaves nothing of the others.
    found = rank(network, quantize(per_channel=False)[1])
    assert (found[0].layer, found[0].operator) == ("second", "Convolution")
    assert {each.layer: each.exclude for each in found} == {"second": ("second",), "stem": ("stem",), "last": ("last",)}
    assert (found[0].alone or 0) < 0.8 * (found[1].alone or 0)

    assert all(each.alone is None for each in rank(network, quantize(per_channel=False)[1], seconds=-1))
    assert rank(network, quantize(exclude=["stem", "second"])[1])[0].layer == "last"


def test_a_search_leaves_out_operations_until_the_outputs_pass(quantize: Callable[..., Any], network: Path) -> None:
    data, path = quantize(per_channel=False, search="accuracy", rules={"y": Rule("cosine", minimum=0.999)})
    found = data["quantized"]
    assert found["search"]["passed"]
    assert found["left_out"]
    assert found["quantized"] == 3 - len(found["left_out"]) == len(rank(network, path))
    assert found["search"]["before"] < found["search"]["after"]


def test_a_model_that_is_quantized_is_not_quantized_again(quantize: Callable[..., Any]) -> None:
    _, path = quantize()
    with pytest.raises(
        StepFailed,
        match=r"quantized already \(3 of 3 operations, as '/stem/first'\): openvino-int8 is made of one in float",
    ):
        quantize(parent=path)


def test_what_is_computed_of_constants_alone_is_no_operation(quantize: Callable[..., Any], tmp_path: Path) -> None:
    # nncf fails on an embedding of constants, which exporters write of positions.
    nodes = [
        helper.make_node("Gather", ["table", "places"], ["e"], "embedding"),
        helper.make_node("MatMul", ["x", "w"], ["h"], "product"),
        helper.make_node("Add", ["h", "e"], ["y"], "sum"),
    ]
    weights = {"table": np.ones((9, 5), "f4"), "places": np.array([1, 2, 3]), "w": np.ones((8, 5), "f4")}
    written(tmp_path / "model.onnx", nodes, weights, ("n", 3, 8))
    batches = [{"x": RANDOM.standard_normal((2, 3, 8)).astype("f4")}]
    assert quantize(batches, tmp_path / "model.onnx")[0]["quantized"]["quantized"] == 1


def test_an_onnx_file_that_is_quantized_dynamically_is_not_quantized_again(
    tmp_path: Path, quantize: Callable[..., Any], network: Path
) -> None:
    quantization = pytest.importorskip("onnxruntime.quantization")
    quantization.quantize_dynamic(str(network), str(tmp_path / "dynamic.onnx"))
    with pytest.raises(StepFailed, match=r"quantized already \(DynamicQuantizeLinear '.*'\): openvino-int8 is made of"):
        quantize(parent=tmp_path / "dynamic.onnx")


def test_quantization_of_what_is_not_quantized_is_refused() -> None:
    for precision in ("fp16", "bf16"):
        with pytest.raises(
            ConfigError, match=rf"quantization.samples=3 is not possible with precision=\('{precision}',\)"
        ):
            OpenVINOConfig(precision=precision, quantization=QuantizationConfig(samples=3))
    config = OpenVINOConfig(precision="bf16", quantization=QuantizationConfig(allow_slower=True))
    assert OpenVINOFormat().variants(config, [ONNX])[-1].parameters["quantization"]["allow_slower"]


@pytest.mark.parametrize(("last", "attention"), [("MatMul", True), ("Mul", False)])
def test_a_transformer_is_told_by_its_attention(tmp_path: Path, last: str, attention: bool) -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "x"], ["h"]),
        helper.make_node("Softmax", ["h"], ["s"]),
        helper.make_node(last, ["s", "x"], ["y"]),
    ]
    written(tmp_path / "model.onnx", nodes, {}, (4, 4))
    assert attends(openvino.Core().read_model(tmp_path / "model.onnx")) is attention


def test_loggers_of_others_stay_as_they_are() -> None:
    assert logging.getLoggerClass() is logging.Logger
    untold("nncf")
    assert logging.getLogger(f"{__name__}.own").__class__ is logging.Logger
