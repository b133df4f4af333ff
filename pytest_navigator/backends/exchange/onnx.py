"""ONNX files: exported by the framework of the live model, or converted from another format's file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pytest_navigator.backends.builtin import SOURCES
from pytest_navigator.configuration.onnx_config import OnnxConfig, OnnxDynamoExportConfig, plain_axes
from pytest_navigator.core.variants import Variant
from pytest_navigator.errors import ConfigError, StepFailed
from pytest_navigator.formats.base import Format
from pytest_navigator.formats.navigator import Navigator
from pytest_navigator.formats.ways import Way, Ways
from pytest_navigator.runners.spec import table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np

    from pytest_navigator.configuration.format_config import FormatConfig
    from pytest_navigator.configuration.onnx_config import Axes
    from pytest_navigator.core.plain import JSON, Parameters
    from pytest_navigator.core.records import Description, Signature, TensorSpec
    from pytest_navigator.core.script_parts import MakingCode, Subject
    from pytest_navigator.formats.base import LoaderData
    from pytest_navigator.formats.content import Content
    from pytest_navigator.frameworks.base import Source

DYNAMO = Way("dynamo", "OnnxConfig(export_engine=OnnxDynamoExportConfig())")
# What torch.export says of Python code that reads the values of a tensor.
ON_VALUES = r"[Dd]ata-?[Dd]ependent|_local_scalar_dense|numpy\(\) is not supported"

TRACE = Way(
    "trace",
    "OnnxConfig(export_engine=OnnxTraceExportConfig())",
    ON_VALUES,
    "a trace would take what the values of the example lead to for the only case",
)
SCRIPT = Way("script", "OnnxConfig(onnx_extended_conversion=True)")
TF2ONNX, TF2ONNX_COMMAND = Way("tf2onnx"), Way("tf2onnx-command")
# Framework of a live model, or format of a file -> what makes ONNX of it, the best one first.
WAYS = {
    "torch": (DYNAMO, TRACE, SCRIPT),
    "torchscript": (TRACE,),
    "torch-exportedprogram": (DYNAMO, TRACE),
    "tf-savedmodel": (TF2ONNX, TF2ONNX_COMMAND),
}

WITHOUT_OPTIONS = (TF2ONNX_COMMAND,)  # What does not take `custom_args`

TENSORFLOW = ("tensorflow", "tf2onnx", "onnx")
TORCH = ("torch", "onnx", "onnxscript")
REQUIRES = {
    "torch": TORCH,
    "torchscript": TORCH,
    "torch-exportedprogram": TORCH,
    "tensorflow": TENSORFLOW,
    "tf-savedmodel": TENSORFLOW,
    "jax": ("jax", "onnx"),
}


class OnnxFormat(Format):
    """`onnx`, and `onnx-trace`, `onnx-opset17`, `onnx-script` where more than one is asked for."""

    name: ClassVar[str] = "onnx"
    title: ClassVar[str] = "ONNX"
    command: ClassVar[str] = "ONNX"
    navigator: ClassVar[Navigator | None] = Navigator(
        runners=("OnnxCPU", "OnnxCUDA", "OnnxTensorRT"),
        config="Onnx",
        fields=("opset", "dynamic_axes", "graph_surgeon_optimization", "model_path"),
    )
    groups: ClassVar[Mapping[str, Sequence[str]]] = {"cpu": ("onnx",)}
    config: ClassVar[type[FormatConfig]] = OnnxConfig
    frameworks: ClassVar[tuple[str, ...]] = SOURCES
    parents: ClassVar[Mapping[str, str]] = {
        "tensorflow": "tf-savedmodel",
        "tf-savedmodel": "tf-savedmodel",
        "torchscript": "torchscript",
        "torch-exportedprogram": "torch-exportedprogram",
    }
    file: ClassVar[str] = "model.onnx"
    file_title: ClassVar[str] = "an ONNX file"
    suffixes: ClassVar[tuple[str, ...]] = (".onnx",)
    exported_by: ClassVar[Mapping[str, tuple[str, ...]]] = {"torch": ("torch.onnx._internal.exporter._core",)}
    reads_with: ClassVar[tuple[str, ...]] = ("onnx",)
    diagnosis: ClassVar[str] = "pytest_navigator.backends.exchange.onnx_diagnosis:OnnxDiagnosis"
    runners = table(
        "onnx",
        "pytest_navigator.backends.onnx.runners",
        ("OnnxCPU", "OnnxRunner", "cpu", ("onnxruntime",)),
        ("OnnxCUDA", "OnnxCUDA", "cuda", ("cuda", "onnxruntime", "onnxruntime-cuda")),
        ("OnnxTensorRT", "OnnxTensorRT", "tensorrt", ("cuda", "onnxruntime", "onnxruntime-tensorrt")),
    )

    def is_in(self, content: Content) -> bool:
        """Whether the outermost fields are those of an ONNX file.

        Raises:
            ConfigError: it was cut off.
        """
        from pytest_navigator.backends.onnx.content import is_onnx

        return bool(content.head) and is_onnx(content.path)

    def describe(
        self, path: Path, parameters: Parameters, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]
    ) -> Description:
        """Return what the graph says."""
        from pytest_navigator.backends.onnx.description import describe

        return describe(path, {spec.name: spec for spec in (*inputs, *outputs)})

    def load(self, path: Path) -> Any:
        """Return the `onnx.ModelProto`."""
        import onnx

        return onnx.load(path)

    def depends_on(self, variant: Variant) -> JSON:
        """Return the digest of a ready file: its path says nothing of what is in it."""

        from pytest_navigator.core.digests import digest_of

        ready = variant.parameters.get("model_path")  # a source has none
        return digest_of(Path(ready)) if ready and Path(ready).is_file() else None

    def requires_for(self, source: str) -> tuple[str, ...]:
        """Return what the way from this source to ONNX needs."""
        return REQUIRES.get(source, ())

    def ways(self, variant: Variant, source: str) -> Ways:
        """Return the engines of the library that writes ONNX of such a source; of a ready file none."""

        from pytest_navigator.backends.jax import jax2onnx
        from pytest_navigator.configuration.foreign_options import SESSION_OPTIONS
        from pytest_navigator.formats.ways import Way, Ways

        parameters = variant.parameters
        if parameters["model_path"]:
            return Ways()
        if (origin := parameters["from"] or source) == "jax":
            return jax2onnx.ways()
        if not parameters["engine_named"]:
            options = set(parameters["custom_args"]) - {SESSION_OPTIONS}
            return Ways(tuple(way for way in WAYS[origin] if not (options and way in WITHOUT_OPTIONS)))
        others = tuple(way for way in WAYS[origin] if way.engine != parameters["engine"])
        return Ways((Way(parameters["engine"]),), others)

    def variants(self, config: FormatConfig, parents: Sequence[Variant]) -> list[Variant]:
        """Return one variant per engine and opset; what is converted has no engines.

        Raises:
            ConfigError: an engine is configured for a conversion.
        """
        assert isinstance(config, OnnxConfig)
        parent = parents[0] if parents else None
        if parent is not None:
            _check_no_engine(config, parent)
        engines = [("", "", config.dynamic_axes)] if parent else _engines(config)
        return [
            self._variant(config, parent, engine, axes, opset, f"{suffix}{_opset_suffix(config, opset)}")
            for engine, suffix, axes in engines
            for opset in config.opsets
        ]

    def export(
        self, source: Source, example: Mapping[str, np.ndarray], signature: Signature, variant: Variant, path: Path
    ) -> dict[str, JSON]:
        """Export the model by its framework, or copy the ready file; see that it has the signature's names and axes."""
        from pytest_navigator.backends.jax import jax2onnx
        from pytest_navigator.backends.torch import onnx_export as torch_onnx

        way = {"torch": torch_onnx.export_onnx, "jax": jax2onnx.export_onnx}[source.framework.name]
        return _made(signature, variant, path, lambda asked: way(source, example, asked, variant, path))

    def convert(
        self, parent: Path, data: LoaderData, signature: Signature, variant: Variant, path: Path
    ) -> dict[str, JSON]:
        """Convert the parent's artifact, or copy the ready file; see that it has the signature's names and axes."""
        from pytest_navigator.backends.tensorflow import tf2onnx
        from pytest_navigator.backends.torch import onnx_of_files as torch_files

        ways = {
            "tf-savedmodel": tf2onnx.convert_savedmodel,
            "torchscript": torch_files.convert_torchscript,
            "torch-exportedprogram": torch_files.convert_program,
        }
        way = ways[variant.parameters["from"]]
        return _made(signature, variant, path, lambda asked: way(parent, data.example, asked, variant, path))

    def export_script(self, subject: Subject) -> MakingCode | None:
        """Return the export by the framework; None for a ready file."""
        from pytest_navigator.backends.jax import jax2onnx
        from pytest_navigator.backends.torch import onnx_export as torch_onnx

        scripts = {"torch": torch_onnx.export_script, "jax": jax2onnx.export_script}
        return _script(subject, scripts[subject.signature.array_type])

    def convert_script(self, subject: Subject) -> MakingCode | None:
        """Return the conversion; None for a ready file."""
        from pytest_navigator.backends.tensorflow import tf2onnx
        from pytest_navigator.backends.torch import onnx_of_files as torch_files

        scripts = {
            "tf-savedmodel": tf2onnx.savedmodel_script,
            "torchscript": torch_files.torchscript_script,
            "torch-exportedprogram": torch_files.program_script,
        }
        return _script(subject, scripts[subject.variant.parameters["from"]])

    def _variant(
        self, config: OnnxConfig, parent: Variant | None, engine: str, axes: Axes | None, opset: int, suffix: str
    ) -> Variant:
        parameters = {
            "opset": opset,
            "from": parent.format if parent else None,
            "signature": parent.parameters.get("signature") if parent else None,
            "engine": engine,
            "engine_named": config.export_engine is not None or engine == "script",
            "dynamic_axes": plain_axes("dynamic_axes", axes),
            "model_path": None if config.model_path is None else str(Path(config.model_path).absolute()),
            "device": config.device,
            "custom_args": config.custom_args,
        }
        return Variant(
            self.name + suffix, self.name, parent.key if parent else None, self.file, parameters, self.runner_names
        )


def _engines(config: OnnxConfig) -> list[tuple[str, str, Axes | None]]:
    """Return name, suffix of the key and dynamic axes of each engine of torch that is asked for."""
    engines: list[tuple[str, str, Axes | None]] = []
    for engine in config.engines:
        if isinstance(engine, OnnxDynamoExportConfig):
            engines.append(("dynamo", "", engine.dynamo_dynamic_shapes or config.dynamic_axes))
        else:
            engines.append(("trace", "-trace" if len(config.engines) > 1 else "", config.dynamic_axes))
    if config.onnx_extended_conversion:
        engines.append(("script", "-script", config.dynamic_axes))
    return engines


def _opset_suffix(config: OnnxConfig, opset: int) -> str:
    return f"-opset{opset}" if len(config.opsets) > 1 else ""


def _check_no_engine(config: OnnxConfig, parent: Variant) -> None:
    for field in ("export_engine", "onnx_extended_conversion"):
        if value := getattr(config, field):
            raise ConfigError(
                f"OnnxConfig.{field}={value!r} is for live PyTorch models: here ONNX is converted from {parent.key}"
            )


def _made(
    signature: Signature, variant: Variant, path: Path, make: Callable[[Signature], dict[str, JSON]]
) -> dict[str, JSON]:
    """Write the file, by `make` with the dynamic axes that are asked for, or from the ready one."""

    from pytest_navigator.backends.onnx.file import check_axes, check_opset, conform, dynamic_axes, opset_of, store

    signature, ready = _with_axes(signature, variant.parameters["dynamic_axes"]), variant.parameters["model_path"]
    if ready:
        store(Path(ready), path)
    data = {"engine": "file"} if ready else make(signature)
    try:
        if not ready:
            check_opset(str(path), variant.parameters["opset"], "the converter")
    except ValueError as error:
        raise StepFailed(f"{error}: ask for another opset") from None
    try:
        check_axes(str(path), dynamic_axes(signature))
    except ValueError as error:
        raise StepFailed(str(error)) from None
    conform(path, signature)
    return {**data, "opset": opset_of(path)}


def _script(subject: Subject, write: Callable[[Subject], MakingCode]) -> MakingCode | None:
    from pytest_navigator.backends.onnx.file import check_axes, check_opset, dynamic_axes
    from pytest_navigator.backends.onnx.running_code import LOADS
    from pytest_navigator.core.script_parts import MakingCode
    from pytest_navigator.reproduce.code import literal

    parameters = subject.variant.parameters
    if parameters["model_path"]:
        return None
    asked = replace(subject, signature=_with_axes(subject.signature, parameters["dynamic_axes"]))
    engine = subject.data.get("engine") or parameters["engine"]
    maker = f"the {engine} engine" if engine else "the converter"
    opset = f"check_opset(args.output, {parameters['opset']}, {maker!r})"
    axes = literal(dynamic_axes(asked.signature), "axes")
    checked = MakingCode(f"{opset}\n{axes}\ncheck_axes(args.output, axes)", functions=(check_opset, check_axes))
    return write(asked).then(checked).then(LOADS)


def _with_axes(signature: Signature, axes: dict[str, dict[str, str]] | None) -> Signature:
    """Return the signature with the user's dynamic axes instead of the inferred ones.

    Raises:
        StepFailed: a name or an axis that does not exist, or an axis that changes in the loader and is not listed.
    """
    if not axes:
        return signature
    if unknown := set(axes) - {spec.name for spec in (*signature.inputs, *signature.outputs)}:
        raise StepFailed(f"OnnxConfig.dynamic_axes names {sorted(unknown)}, which the model does not have")
    inputs = tuple(_respecified(spec, axes) for spec in signature.inputs)
    return replace(signature, inputs=inputs, outputs=tuple(_respecified(spec, axes) for spec in signature.outputs))


def _respecified(spec: TensorSpec, axes: dict[str, dict[str, str]]) -> TensorSpec:
    if spec.name not in axes:
        return spec
    wanted = {
        int(axis): symbol or spec.axes.get(int(axis), f"{spec.name}_{axis}") for axis, symbol in axes[spec.name].items()
    }
    if lost := set(spec.axes) - set(wanted):
        raise StepFailed(
            f"OnnxConfig.dynamic_axes lacks axis {min(lost)} of {spec.name!r}, which changes in the loader"
        )
    if max(wanted, default=0) >= max(len(spec.shape), 1):
        raise StepFailed(f"OnnxConfig.dynamic_axes: {spec.name!r} has {len(spec.shape)} axes, none is {max(wanted)}")
    return replace(spec, axes=wanted)
