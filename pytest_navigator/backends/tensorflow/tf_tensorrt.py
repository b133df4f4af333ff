"""TF-TRT: SavedModels in which TensorRT runs what it can, converted from SavedModels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from pytest_navigator.backends.tensorflow.names import argument_names
from pytest_navigator.backends.tensorflow.runners import SIGNATURE
from pytest_navigator.backends.tensorflow.tf_tensorrt_model import convert_savedmodel, filled, of_one_shape
from pytest_navigator.backends.tensorrt import attempts
from pytest_navigator.backends.tensorrt.inside import InsideConfig, TensorRTInsideFormat, installed_version, profile_of
from pytest_navigator.core.script_parts import MakingCode
from pytest_navigator.devices.built_with import Library
from pytest_navigator.errors import ConfigError, StepFailed
from pytest_navigator.formats.exporting import exporter
from pytest_navigator.formats.navigator import Navigator
from pytest_navigator.reproduce.code import call_of, literal
from pytest_navigator.runners.spec import table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from pytest_navigator.backends.tensorrt.profiles import Profile
    from pytest_navigator.configuration.format_config import FormatConfig
    from pytest_navigator.core.plain import JSON, Parameters
    from pytest_navigator.core.records import Signature
    from pytest_navigator.core.script_parts import Subject
    from pytest_navigator.core.variants import Variant
    from pytest_navigator.formats.base import LoaderData

DISTRIBUTIONS = ("tensorflow", "tensorflow-cpu")


@dataclass(frozen=True)
class TensorFlowTensorRTConfig(InsideConfig):
    """SavedModels converted by TF-TRT; `custom_args` go to `tf.experimental.tensorrt.Converter`.

    Attributes:
        precision: "fp32", "fp16", "int8"; int8 is calibrated with those of the samples that have the shapes of the
            first one, for it takes no others.
        precision_mode: "hierarchy", which is what TF-TRT does: TensorRT may choose any wider type.
        minimum_segment_size: operators that a part of the graph has to have to become an engine; -1: none does.
        max_workspace_size: bytes that an engine may use beside its weights; None: TensorFlow's default.

    Raises:
        ConfigError: a value is not possible.
    """

    precisions: ClassVar[Mapping[str, str]] = {"fp32": "FP32", "fp16": "FP16", "int8": "INT8"}
    other_precisions: ClassVar[str] = "TF-TRT has no others"

    max_workspace_size: int | None = 8 * 2**30
    minimum_segment_size: int = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.precision_mode != "hierarchy":
            raise ConfigError(
                f"{type(self).__name__}.precision_mode={self.precision_mode!r} is not possible (valid: 'hierarchy'): "
                "TF-TRT always lets TensorRT choose wider types"
            )
        size = self.minimum_segment_size
        if type(size) is not int or (size < 1 and size != -1):
            raise ConfigError(f"{type(self).__name__}.minimum_segment_size={size!r} is neither -1 nor 1 or more")


class TensorFlowTensorRTFormat(TensorRTInsideFormat):
    """`tf-trt-fp32`, `tf-trt-fp16`, `tf-trt-int8`; not made by default, as in Model Navigator since 0.9."""

    name: ClassVar[str] = "tf-trt"
    title: ClassVar[str] = "TensorFlow-TensorRT"
    command: ClassVar[str] = "TFTRT"
    navigator: ClassVar[Navigator | None] = Navigator(
        runners=("TensorFlowTensorRT",),
        config="TensorFlowTensorRT",
        fields=("precision", "precision_mode"),
        folder={"precision": ""},
    )
    config: ClassVar[type[FormatConfig]] = TensorFlowTensorRTConfig
    frameworks: ClassVar[tuple[str, ...]] = ("tensorflow", "jax", "tf-savedmodel")
    parent: ClassVar[str | None] = "tf-savedmodel"
    default: ClassVar[bool] = False
    requires: ClassVar[tuple[str, ...]] = ("cuda", "tf-trt", "tensorflow")
    runners = table(
        "tf-trt",
        "pytest_navigator.backends.tensorflow.tf_tensorrt_runner",
        ("TensorFlowTensorRT", "TensorFlowTensorRT", "tensorrt", ("cuda", "tf-trt", "tensorflow", "tensorflow-cuda")),
    )
    artifact: ClassVar[str] = "model.savedmodel"

    def convert(
        self, parent: Path, data: LoaderData, signature: Signature, variant: Variant, path: Path
    ) -> dict[str, JSON]:
        """Convert the SavedModel and build its engines, for smaller batches if the configuration says so.

        Raises:
            StepFailed: a profile does not fit the model or its samples, there is no sample for int8, TF-TRT raised, or
                TensorRT runs no part of the model.
        """
        names, batch = argument_of(signature), dict(data.example)
        calibration = self._calibration(data, variant, names)

        def make(shapes: list[Profile]) -> dict[str, JSON]:
            feeds = filled(batch, names, shapes[0])
            with exporter("TF-TRT") as lines:
                engines = _converting(variant.parameters)(str(parent), str(path), feeds, calibration)
            return {"engines": engines, "warnings": lines}

        shapes, made = attempts.largest(data.record, variant.parameters, signature, make)
        found: dict[str, JSON] = {"backend": "tf-trt", "version": installed_version(*DISTRIBUTIONS), "profiles": shapes}
        return {**found, "calibrated_with": len(calibration), **made}

    def convert_script(self, subject: Subject) -> MakingCode:
        """Return the same as source text."""
        names, work = argument_of(subject.signature), _converting(subject.variant.parameters)
        lines, calibration = [literal(names, "names"), literal(profile_of(subject), "profile")], "[]"
        functions: list[Callable[..., object]] = [convert_savedmodel, filled]
        if subject.variant.parameters["precision"] == "int8":
            paths = literal(list(subject.loader.batches))
            calibration = f"of_one_shape([read(path, INPUTS) for path in {paths}], names)"
            functions.append(of_one_shape)
        live = ("args.artifact", "args.output", "filled(batch, names, profile)", "calibration")
        lines += [f"calibration = {calibration}", call_of(work, *live)]
        return MakingCode("\n".join(lines), functions=tuple(functions))

    def built_by(self, parameters: Parameters) -> Library:
        """Return the TensorFlow that is installed, which is linked to one version of TensorRT."""
        return Library("TensorFlow", installed_version(*DISTRIBUTIONS))

    def _calibration(self, data: LoaderData, variant: Variant, names: dict[str, str]) -> list[dict[str, Any]]:
        if variant.parameters["precision"] != "int8":
            return []
        batches = [dict(batch) for batch in data.batches]
        if not batches:
            raise StepFailed("int8 is calibrated with the samples, and there are none")
        return of_one_shape(batches, names)


def argument_of(signature: Signature) -> dict[str, str]:
    """Return the argument of the SavedModel's signature -> the input's name."""
    return dict(zip(argument_names(signature), (spec.name for spec in signature.inputs), strict=True))


def _converting(parameters: Parameters) -> partial[int]:
    return partial(convert_savedmodel, options=options(parameters))


def options(parameters: Parameters) -> dict[str, Any]:
    """Return the options of `tf.experimental.tensorrt.Converter` (pure)."""
    size = parameters["max_workspace_size"]
    return {
        "input_saved_model_signature_key": parameters.get("signature") or SIGNATURE,
        "use_dynamic_shape": True,
        "dynamic_shape_profile_strategy": "Range",
        "precision_mode": TensorFlowTensorRTConfig.precisions[parameters["precision"]],
        "minimum_segment_size": parameters["minimum_segment_size"],
        **({} if size is None else {"max_workspace_size_bytes": size}),
        **parameters["custom_args"],
    }
