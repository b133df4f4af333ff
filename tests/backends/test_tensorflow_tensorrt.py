"""What TF-TRT is asked for. No TensorFlow here has it: its refusal is real, and where it works there is a stand-in."""

from __future__ import annotations

import shutil
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
models = pytest.importorskip("tensorflow_models")

from pytest_navigator import TensorFlowTensorRTConfig  # noqa: E402
from pytest_navigator.backends.builtin import known  # noqa: E402
from pytest_navigator.backends.exchange.savedmodel import (  # noqa: E402
    TensorFlowSavedModelConfig,
    TensorFlowSavedModelFormat,
)
from pytest_navigator.backends.tensorflow.tf_tensorrt import (  # noqa: E402
    TensorFlowTensorRTFormat,
    options,
)
from pytest_navigator.backends.tensorflow.tf_tensorrt_model import (  # noqa: E402
    filled,
    of_one_shape,
)
from pytest_navigator.core.records import LoaderRecord  # noqa: E402
from pytest_navigator.core.script_parts import Subject  # noqa: E402
from pytest_navigator.core.variants import Variant  # noqa: E402
from pytest_navigator.errors import (  # noqa: E402
    ConfigError,
    StepFailed,
)
from pytest_navigator.formats.base import LoaderData  # noqa: E402
from pytest_navigator.reproduce.scripts import convert_script  # noqa: E402

if TYPE_CHECKING:
    from pathlib import Path

TensorFlowSavedModelCPU = known().runners()["TensorFlowSavedModelCPU"].load()

PARENT = Variant("tf-savedmodel", "tf-savedmodel", "tensorflow", "model.savedmodel")


def variant(parent: Variant = PARENT, **fields: Any) -> Variant:
    return TensorFlowTensorRTFormat().variants(TensorFlowTensorRTConfig(**{"precision": "fp16", **fields}), [parent])[0]


class Converter:
    """Records what it is asked for and copies the SavedModel: it converts nothing."""

    seen = SimpleNamespace()

    def __init__(self, input_saved_model_dir: str, **arguments: Any) -> None:
        self.source = input_saved_model_dir
        self.seen.options, self.seen.calibration = arguments, None

    def convert(self, calibration_input_fn: Any = None) -> Any:
        self.seen.calibration = calibration_input_fn and list(calibration_input_fn())
        graph = tf.compat.v1.GraphDef()
        for operator in self.seen.operators:
            graph.library.function.add().node_def.add().op = operator
        return SimpleNamespace(graph=SimpleNamespace(as_graph_def=lambda: graph))

    def build(self, input_fn: Any) -> None:
        self.seen.feeds = list(input_fn())

    def save(self, path: str) -> None:
        shutil.copytree(self.source, path)


@pytest.fixture
def converter(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The stand-in for `tf.experimental.tensorrt.Converter`, which raises without TensorRT."""
    monkeypatch.setattr(tf.experimental.tensorrt, "Converter", Converter)
    Converter.seen = SimpleNamespace(operators=["TRTEngineOp", "MatMul"])
    return Converter.seen


def converted(subject: Any, path: Path, made: Variant, batches: list[Any]) -> dict[str, Any]:
    parent, _ = subject.export(TensorFlowSavedModelFormat(), TensorFlowSavedModelConfig(), path)
    shapes = [{name: list(array.shape) for name, array in subject.feed(subject.sample(n)).items()} for n in (1, 2, 5)]
    profile = {n: dict(zip(("min", "opt", "max"), (s[n] for s in shapes), strict=True)) for n in shapes[0]}
    data = LoaderData(subject.example, batches, LoaderRecord(profile, 5, 5))
    return TensorFlowTensorRTFormat().convert(path / parent.file, data, subject.signature, made, path / "out")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"precision": "fp16"},
            {
                "input_saved_model_signature_key": "serving_default",
                "use_dynamic_shape": True,
                "dynamic_shape_profile_strategy": "Range",
                "precision_mode": "FP16",
                "minimum_segment_size": 3,
                "max_workspace_size_bytes": 8589934592,
            },
        ),
        (
            {
                "precision": "int8",
                "minimum_segment_size": 5,
                "max_workspace_size": None,
                "custom_args": {"allow_build_at_runtime": False},
            },
            {
                "input_saved_model_signature_key": "serving_default",
                "use_dynamic_shape": True,
                "dynamic_shape_profile_strategy": "Range",
                "precision_mode": "INT8",
                "minimum_segment_size": 5,
                "allow_build_at_runtime": False,
            },
        ),
    ],
)
def test_a_configuration_becomes_the_options_of_the_converter(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    assert options(variant(**fields).parameters) == expected


def test_the_signature_of_a_savedmodel_that_is_the_source_is_the_one_that_is_converted() -> None:
    parent = Variant("tf-savedmodel", "tf-savedmodel", None, "model.savedmodel", {"signature": "score"})
    assert options(variant(parent).parameters)["input_saved_model_signature_key"] == "score"


def test_a_savedmodel_is_converted_for_each_precision() -> None:
    jit = Variant("tf-savedmodel-jit", "tf-savedmodel", "tensorflow", "model.savedmodel")
    found = TensorFlowTensorRTFormat().variants(TensorFlowTensorRTConfig(), [PARENT, jit])
    assert [v.key for v in found] == ["tf-trt-fp32", "tf-trt-fp16", "tf-trt-jit-fp32", "tf-trt-jit-fp16"]
    assert found[0].file == "model.savedmodel"
    assert TensorFlowTensorRTFormat().named("tf-trt-int8") == TensorFlowTensorRTConfig(precision="int8")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"precision": "bf16"}, r"precision='bf16' is not possible \(valid: 'fp32', 'fp16', 'int8'\)"),
        ({"precision_mode": "single"}, "TF-TRT always lets TensorRT choose wider types"),
        ({"minimum_segment_size": 0}, "minimum_segment_size=0 is neither -1 nor 1 or more"),
        ({"max_workspace_size": 0}, "max_workspace_size=0 is not a whole number of 1 or more"),
    ],
)
def test_what_tf_trt_cannot_do_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        TensorFlowTensorRTConfig(**fields)


def test_the_arrays_of_a_batch_fill_the_smallest_the_usual_and_the_largest_shapes() -> None:
    batch = {"mask-1": np.array([[1, 2], [3, 4]]), "scale": np.array(7)}
    profile = {"mask-1": {"min": [1, 2], "opt": [2, 2], "max": [3, 2]}}
    found = filled(batch, {"mask_1": "mask-1", "scale": "scale"}, profile)
    assert [feed["mask_1"].tolist() for feed in found] == [[[1, 2]], [[1, 2], [3, 4]], [[1, 2], [3, 4], [1, 2]]]
    assert [feed["scale"].tolist() for feed in found] == [7, 7, 7]


def test_calibration_takes_the_batches_of_one_shape() -> None:
    batches = [{"x": np.zeros((size, 2))} for size in (3, 3, 1)]
    assert [feed["a"].shape for feed in of_one_shape(batches, {"a": "x"})] == [(3, 2), (3, 2)]


def test_this_tensorflow_refuses_as_it_says(tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match="TF-TRT: Tensorflow has not been built with TensorRT support"):
        converted(models.functional(), tmp_path, variant(), [])


def test_the_converter_gets_the_shapes_by_argument_and_the_result_runs(
    tmp_path: Path, converter: SimpleNamespace
) -> None:
    """The stand-in copies the SavedModel: TensorFlow runs it, TensorRT has no part in this."""
    subject = models.functional()
    data = converted(subject, tmp_path, variant(), [])
    assert (data["engines"], data["calibrated_with"]) == (1, 0)
    assert converter.calibration is None
    assert [{name: array.shape for name, array in feed.items()} for feed in converter.feeds] == [
        {"words": (n, n + 2, 3), "mask_1": (n, n + 2)} for n in (1, 2, 5)
    ]
    subject.check(TensorFlowSavedModelCPU(tmp_path / "out", subject.signature, variant().parameters))


def test_int8_is_calibrated_with_the_samples(tmp_path: Path, converter: SimpleNamespace) -> None:
    """The stand-in reads the batches, it calibrates nothing."""
    subject = models.functional()
    batches = [subject.feed(subject.sample(size)) for size in (3, 3, 2)]
    assert converted(subject, tmp_path, variant(precision="int8"), batches)["calibrated_with"] == 2
    assert [feed["mask_1"].shape for feed in converter.calibration] == [(3, 5), (3, 5)]


def test_int8_without_samples_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match="int8 is calibrated with the samples, and there are none"):
        converted(models.functional(), tmp_path, variant(precision="int8"), [])


def test_a_savedmodel_in_which_tensorrt_runs_nothing_is_no_artifact(tmp_path: Path, converter: SimpleNamespace) -> None:
    """The stand-in finds no segment here."""
    converter.operators = ["MatMul"]
    with pytest.raises(StepFailed, match=r"TensorRT no part of it: no segment .* has 3 nodes"):
        converted(models.functional(), tmp_path, variant(), [])


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_the_script_is_of_upstream_code_and_compiles(precision: str) -> None:
    signature = models.functional().signature
    profile = {spec.name: {word: [2, 4, 3] for word in ("min", "opt", "max")} for spec in signature.inputs}
    profile["mask-1"] = {word: [2, 4] for word in ("min", "opt", "max")}
    loader = LoaderRecord(profile, 2, 2, ("model_input/0.npz",))
    made = variant(precision=precision)
    subject = Subject(made, signature, "m.M", "cpu", "model_input/0.npz", {}, parent=PARENT, loader=loader)
    text = convert_script(subject, TensorFlowTensorRTFormat().convert_script(subject), "reproduce_conversion")
    compile(text, "reproduce_conversion.py", "exec")
    assert "pytest_navigator" not in text
    assert f"'precision_mode': '{precision.upper()}'" in text
    assert ("of_one_shape([read(path, INPUTS) for path in ['model_input/0.npz']], names)" in text) == (
        precision == "int8"
    )
