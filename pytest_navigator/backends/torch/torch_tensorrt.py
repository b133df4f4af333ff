"""Torch-TensorRT: exported programs in which TensorRT runs what it can, compiled from exported programs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from pytest_navigator.backends.tensorrt.inside import InsideConfig, TensorRTInsideFormat, installed_version, profile_of
from pytest_navigator.configuration.tensorrt_config import check_whole
from pytest_navigator.errors import ConfigError
from pytest_navigator.formats.navigator import Navigator
from pytest_navigator.runners.spec import table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_navigator.backends.tensorrt.profiles import Profile
    from pytest_navigator.configuration.format_config import FormatConfig
    from pytest_navigator.core.plain import JSON, Parameters
    from pytest_navigator.core.records import Signature
    from pytest_navigator.core.script_parts import MakingCode, Subject
    from pytest_navigator.core.variants import Variant
    from pytest_navigator.devices.built_with import Library
    from pytest_navigator.formats.base import LoaderData

DISTRIBUTIONS = ("torch-tensorrt", "torch-tensorrt-rtx")

OLD_KEYS = ("torch-trt-script-", "torch-trt-trace-")  # What Model Navigator made of TorchScript, before 0.12


@dataclass(frozen=True)
class TorchTensorRTConfig(InsideConfig):
    """Programs compiled by Torch-TensorRT; `custom_args` go to `torch_tensorrt.dynamo.compile`.

    Attributes:
        precision: "fp32", "fp16", "bf16". The networks are strongly typed: the lower ones are Torch-TensorRT's
            autocast, which writes the types into the program.
        precision_mode: "single" switches TF32 off; what autocast leaves in float32 is the same in both modes.
        max_workspace_size: bytes that an engine may use beside its weights; 0 or None: all of the device's memory.
        pickle_protocol: of the file's weights, 2 to 5.

    Raises:
        ConfigError: a value is not possible.
    """

    least_workspace: ClassVar[int] = 0
    precisions: ClassVar[Mapping[str, str]] = {"fp32": "", "fp16": "float16", "bf16": "bfloat16"}
    other_precisions: ClassVar[str] = (
        "Torch-TensorRT builds strongly typed networks only, and quantizes none: a model that NVIDIA's ModelOpt has "
        "quantized before its export keeps its types under 'fp32'"
    )

    max_workspace_size: int | None = 0
    pickle_protocol: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole(self, "pickle_protocol", 2, 5)


class TorchTensorRTFormat(TensorRTInsideFormat):
    """`torch-trt-fp32`, `torch-trt-fp16`, `torch-trt-bf16`: load without the model's code, as any exported program."""

    name: ClassVar[str] = "torch-trt"
    title: ClassVar[str] = "Torch-TensorRT"
    command: ClassVar[str] = "TorchTensorRT"
    navigator: ClassVar[Navigator | None] = Navigator(
        runners=("TorchTensorRT",),
        config="TorchTensorRT",
        fields=("precision", "precision_mode"),
        folder={"precision": ""},
    )
    config: ClassVar[type[FormatConfig]] = TorchTensorRTConfig
    frameworks: ClassVar[tuple[str, ...]] = ("torch",)
    parent: ClassVar[str | None] = "torch-exportedprogram"
    requires: ClassVar[tuple[str, ...]] = ("cuda", "torch-tensorrt", "torch")
    runners = table(
        "torch-trt",
        "pytest_navigator.backends.torch.torch_tensorrt_runner",
        ("TorchTensorRT", "TorchTensorRT", "tensorrt", ("cuda", "torch-tensorrt", "torch-cuda")),
    )
    artifact: ClassVar[str] = "model.ep"

    def named(self, key: str) -> FormatConfig | None:
        """Return the configuration of one precision.

        Raises:
            ConfigError: the key is one of the old documents', for what was made of TorchScript.
        """
        if key.startswith(OLD_KEYS):
            new = f"{self.name}-{key.rpartition('-')[2]}"
            raise ConfigError(
                f"{key!r}: Torch-TensorRT has deprecated its compiler for TorchScript, and Model Navigator has left it "
                f"with 0.12; {new!r} is made of the exported program"
            )
        return super().named(key)

    def convert(
        self, parent: Path, data: LoaderData, signature: Signature, variant: Variant, path: Path
    ) -> dict[str, JSON]:
        """Compile the program, for smaller batches if the configuration says so.

        Raises:
            StepFailed: a profile does not fit the model or its samples, Torch-TensorRT raised, or TensorRT runs no part
                of the model.
        """

        from pytest_navigator.backends.tensorrt import attempts
        from pytest_navigator.backends.torch.torch_tensorrt_model import compile_program
        from pytest_navigator.devices.libraries import tensorrt_version
        from pytest_navigator.formats.exporting import exporter

        def make(shapes: list[Profile]) -> dict[str, JSON]:
            arguments = inputs(signature, shapes[0]), options(variant.parameters), variant.parameters["pickle_protocol"]
            with exporter("torch_tensorrt") as lines:
                engines = compile_program(str(parent), str(path), *arguments, "cuda")
            return {"engines": engines, "warnings": lines}

        shapes, made = attempts.largest(data.record, variant.parameters, signature, make)
        found = {"backend": "torch_tensorrt", "version": installed_version(*DISTRIBUTIONS)}
        return {**found, "tensorrt": tensorrt_version("tensorrt"), "profiles": shapes, **made}

    def convert_script(self, subject: Subject) -> MakingCode:
        """Return the same as source text."""

        from pytest_navigator.backends.torch.torch_tensorrt_model import compile_program
        from pytest_navigator.core.script_parts import MakingCode
        from pytest_navigator.reproduce.code import literal

        parameters = subject.variant.parameters
        lines = [literal(inputs(subject.signature, profile_of(subject)), "inputs")]
        lines.append(literal(options(parameters), "options"))
        protocol = parameters["pickle_protocol"]
        lines.append(f'compile_program(args.artifact, args.output, inputs, options, {protocol}, "cuda")')
        return MakingCode("\n".join(lines), functions=(compile_program,))

    def built_by(self, parameters: Parameters) -> Library:
        """Return the Torch-TensorRT that is installed; each of its minor versions is for one of TensorRT's."""

        from pytest_navigator.devices.built_with import Library

        return Library("Torch-TensorRT", installed_version(*DISTRIBUTIONS))

    def capabilities(self, parameters: Parameters) -> tuple[str, ...] | None:
        """Return what hardware compatibility says."""
        return ("8.0+",) if parameters.get("custom_args", {}).get("hardware_compatible") else None


def inputs(signature: Signature, profile: Profile) -> list[dict[str, Any]]:
    """Return the arguments of `torch_tensorrt.Input` for each input, in the program's order; types by name (pure)."""
    return [_input(spec.dtype, profile.get(spec.name), spec.shape) for spec in signature.inputs]


def _input(dtype: str, shapes: Mapping[str, list[int]] | None, fixed: tuple[int, ...]) -> dict[str, Any]:
    if shapes is None or shapes["min"] == shapes["max"]:
        return {"shape": list(shapes["max"] if shapes else fixed), "dtype": dtype}
    return {**{f"{word}_shape": list(shapes[word]) for word in ("min", "opt", "max")}, "dtype": dtype}


def options(parameters: Parameters) -> dict[str, Any]:
    """Return the options of `torch_tensorrt.dynamo.compile`; types by name (pure)."""
    low = TorchTensorRTConfig.precisions[parameters["precision"]]
    autocast = {"enable_autocast": True, "autocast_low_precision_type": low} if low else {}
    return {
        "workspace_size": parameters["max_workspace_size"] or 0,
        "disable_tf32": parameters["precision_mode"] == "single",
        **autocast,
        **parameters["custom_args"],
    }
