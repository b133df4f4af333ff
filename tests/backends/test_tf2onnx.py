from __future__ import annotations

from typing import TYPE_CHECKING, Any

import onnx
import pytest

tf = pytest.importorskip("tensorflow")
pytest.importorskip("tf2onnx")
models = pytest.importorskip("tensorflow_models")

from pytest_navigator.backends.builtin import known  # noqa: E402
from pytest_navigator.backends.exchange.onnx import OnnxFormat  # noqa: E402
from pytest_navigator.backends.exchange.savedmodel import (  # noqa: E402
    TensorFlowSavedModelConfig,
    TensorFlowSavedModelFormat,
)
from pytest_navigator.configuration.onnx_config import (  # noqa: E402
    OnnxConfig,
    OnnxTraceExportConfig,
)
from pytest_navigator.errors import (  # noqa: E402
    ConfigError,
    StepFailed,
)
from pytest_navigator.formats.base import LoaderData  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tensorflow_models import Subject

OnnxCPU = known().runners()["OnnxCPU"].load()


def converted(subject: Subject, path: Path, jit_compile: bool | None = None, **options: Any) -> tuple[OnnxCPU, Any]:
    parent, _ = subject.export(TensorFlowSavedModelFormat(), TensorFlowSavedModelConfig(jit_compile=jit_compile), path)
    variant = OnnxFormat().variants(OnnxConfig(**options), [parent])[0]
    file = path / variant.file
    data = OnnxFormat().convert(path / parent.file, LoaderData(subject.example), subject.signature, variant, file)
    return OnnxCPU(file, subject.signature, variant.parameters), data


def shapes(runner: OnnxCPU) -> dict[str, list[str | int]]:
    graph = onnx.load(runner.artifact).graph
    values = [*graph.input, *graph.output]
    return {v.name: [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim] for v in values}


@pytest.mark.parametrize("make", models.EVERY)
def test_every_kind_of_model_gives_the_same_from_onnx(make: Callable[[], Subject], tmp_path: Path) -> None:
    subject = make()
    runner, data = converted(subject, tmp_path)
    assert {name: data[name] for name in ("engine", "signature", "opset")} == {
        "engine": "tf2onnx",
        "signature": "serving_default",
        "opset": 18,
    }
    subject.check(runner)


def test_inputs_outputs_and_dynamic_axes_have_the_names_of_the_signature(tmp_path: Path) -> None:
    subject = models.functional()
    runner, _ = converted(subject, tmp_path)
    assert shapes(runner) == {
        "words": ["batch", "length", 3],
        "mask-1": ["batch", "length"],
        "last": ["batch", 2],
        "first": ["batch", 4],
    }


@pytest.mark.parametrize("opset", [13, 17])
def test_the_opset_is_the_one_that_was_asked_for(opset: int, tmp_path: Path) -> None:
    subject = models.sequential()
    runner, data = converted(subject, tmp_path, opset=opset)
    assert data["opset"] == opset
    subject.check(runner)


def test_an_opset_that_tf2onnx_does_not_write_is_said(tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match="tf2onnx writes the opsets 13 to 18: 19 is not possible"):
        converted(models.sequential(), tmp_path, opset=19)


def test_operators_that_onnx_does_not_have_are_named(tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match=r"ONNX has no operator for .*LookupTableFindV2.* of TensorFlow"):
        converted(models.texts(), tmp_path)


def test_onnx_is_made_of_the_first_savedmodel_and_has_no_engines() -> None:
    parents = TensorFlowSavedModelFormat().variants(TensorFlowSavedModelConfig(jit_compile=(True, None)), [])
    variants = OnnxFormat().variants(OnnxConfig(opset=(17, 18)), parents)
    assert [(variant.key, variant.parent) for variant in variants] == [
        ("onnx-opset17", "tf-savedmodel"),
        ("onnx-opset18", "tf-savedmodel"),
    ]
    with pytest.raises(ConfigError, match="is for live PyTorch models: here ONNX is converted from tf-savedmodel"):
        OnnxFormat().variants(OnnxConfig(export_engine=OnnxTraceExportConfig()), parents)


def test_a_function_that_xla_compiles_cannot_be_converted(tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match=r"ONNX has no operator for .*PartitionedCall.* of TensorFlow"):
        converted(models.sequential(), tmp_path, jit_compile=True)


def test_a_ready_file_is_taken_instead(tmp_path: Path) -> None:
    subject = models.sequential()
    (tmp_path / "made").mkdir()
    ready, _ = converted(subject, tmp_path / "made")
    runner, data = converted(subject, tmp_path, model_path=str(ready.artifact))
    assert data["engine"] == "file"
    subject.check(runner)


def test_the_signature_that_is_checked_is_the_one_that_is_converted(tmp_path: Path) -> None:
    module = tf.Module()
    module.double, module.triple = tf.function(lambda x: {"y": 2 * x}), tf.function(lambda x: {"y": 3 * x})
    spec = tf.TensorSpec((None, 4), tf.float32, "x")
    signatures = {name: getattr(module, name).get_concrete_function(spec) for name in ("double", "triple")}
    tf.saved_model.save(module, str(tmp_path / "model.savedmodel"), signatures=signatures)
    parent = TensorFlowSavedModelFormat().as_source(TensorFlowSavedModelConfig(signature="triple"))
    (variant,) = OnnxFormat().variants(OnnxConfig(), [parent])
    subject = models.function()
    data = OnnxFormat().convert(
        tmp_path / parent.file, LoaderData(subject.example), subject.signature, variant, tmp_path / variant.file
    )
    assert data["signature"] == "triple"
    with OnnxCPU(tmp_path / variant.file, subject.signature, variant.parameters) as runner:
        assert (runner.infer(subject.example)["y"] == 3 * subject.example["x"]).all()
