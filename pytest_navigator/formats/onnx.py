"""ONNX files, by torch's dynamo exporter and by its TorchScript-based one."""

from __future__ import annotations

import logging
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any
from typing import ClassVar

from pytest_navigator.errors import StepFailed
from pytest_navigator.formats.base import Format
from pytest_navigator.formats.flat import example_tensors
from pytest_navigator.formats.flat import exported_program
from pytest_navigator.formats.flat import exporter
from pytest_navigator.formats.flat import flat_module
from pytest_navigator.formats.flat import on_device
from pytest_navigator.formats.onnx_config import OnnxConfig
from pytest_navigator.formats.onnx_config import OnnxDynamoExportConfig
from pytest_navigator.formats.onnx_config import plain_axes
from pytest_navigator.formats.onnx_file import conform
from pytest_navigator.formats.onnx_file import opset_of
from pytest_navigator.formats.onnx_file import store
from pytest_navigator.records import Variant
from pytest_navigator.reproduce.onnx import export_code
from pytest_navigator.runners.onnx import SESSION_OPTIONS
from pytest_navigator.runners.onnx import OnnxCPU
from pytest_navigator.runners.onnx import OnnxCUDA

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Mapping
    from collections.abc import Sequence

    import numpy as np
    import torch

    from pytest_navigator.formats.base import FormatConfig
    from pytest_navigator.formats.flat import Example
    from pytest_navigator.formats.onnx_config import Axes
    from pytest_navigator.frameworks.base import Source
    from pytest_navigator.records import JSON
    from pytest_navigator.records import Signature
    from pytest_navigator.records import TensorSpec
    from pytest_navigator.reproduce.parts import MakingCode
    from pytest_navigator.reproduce.parts import Subject
    from pytest_navigator.runners.base import Runner


class OnnxFormat(Format):
    """`onnx`, and `onnx-trace`, `onnx-opset17`, `onnx-script` where more than one is asked for."""

    name: ClassVar[str] = "onnx"
    config: ClassVar[type[FormatConfig]] = OnnxConfig
    frameworks: ClassVar[tuple[str, ...]] = ("torch",)
    requires: ClassVar[tuple[str, ...]] = ("torch", "onnx", "onnxscript")
    runners: ClassVar[tuple[type[Runner], ...]] = (OnnxCPU, OnnxCUDA)

    def variants(self, config: FormatConfig, parents: Sequence[Variant]) -> list[Variant]:
        """Return one variant per engine and opset."""
        assert isinstance(config, OnnxConfig)
        engines: list[tuple[str, str, Axes | None]] = []
        for engine in config.engines:
            if isinstance(engine, OnnxDynamoExportConfig):
                engines.append(("dynamo", "", engine.dynamo_dynamic_shapes or config.dynamic_axes))
            else:
                engines.append(("trace", "-trace" if len(config.engines) > 1 else "", config.dynamic_axes))
        if config.onnx_extended_conversion:
            engines.append(("script", "-script", config.dynamic_axes))
        return [
            self._variant(config, engine, axes, opset, suffix + (f"-opset{opset}" if len(config.opsets) > 1 else ""))
            for engine, suffix, axes in engines
            for opset in config.opsets
        ]

    def export(
        self, source: Source, example: Mapping[str, np.ndarray], signature: Signature, variant: Variant, path: Path
    ) -> dict[str, JSON]:
        """Export the model, or copy the ready file, and see that it has the names and axes of the signature."""
        parameters = variant.parameters
        signature = _with_axes(signature, parameters["dynamic_axes"])
        if parameters["model_path"]:
            store(Path(parameters["model_path"]), path)
            conform(path, signature)
            return {"engine": "file", "opset": opset_of(path)}
        with exporter("torch.onnx.export") as lines:
            data = _export(source, example, signature, parameters, path)
        return {**data, "warnings": lines}

    def export_script(self, subject: Subject) -> MakingCode | None:
        """Return the export by the engine that delivered, else by the first; None for a ready file."""
        parameters = subject.variant.parameters
        if parameters["model_path"]:
            return None
        signature = _with_axes(subject.signature, parameters["dynamic_axes"])
        scripted = subject.model.startswith("torch.jit.") and not parameters["engine_named"]
        engine = subject.data.get("engine") or ("trace" if scripted else parameters["engine"])
        return export_code(replace(subject, signature=signature), engine, _options(signature, parameters))

    def _variant(self, config: OnnxConfig, engine: str, axes: Axes | None, opset: int, suffix: str) -> Variant:
        parameters = {
            "opset": opset,
            "engine": engine,
            "engine_named": config.export_engine is not None or engine == "script",
            "dynamic_axes": plain_axes("dynamic_axes", axes),
            "model_path": None if config.model_path is None else str(Path(config.model_path).absolute()),
            "device": config.device,
            "custom_args": config.custom_args,
        }
        return Variant(
            self.name + suffix, self.name, None, "model.onnx", parameters, tuple(r.name for r in self.runners)
        )


def _export(
    source: Source, example: Mapping[str, np.ndarray], signature: Signature, parameters: dict[str, JSON], path: Path
) -> dict[str, JSON]:
    """Try the engines until one delivers the opset."""
    model, device = on_device(source, parameters)
    tensors = example_tensors(example, signature, device)
    delivered = {}
    for engine in _engines(model, parameters):
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            made = Path(folder, path.name)
            facts = _quietly(ENGINES[engine], model, tensors, signature, parameters, made)
            delivered[engine] = opset_of(made)
            if delivered[engine] == parameters["opset"]:
                store(made, path)
                conform(path, signature)
                return {"engine": engine, "opset": delivered[engine], **facts}
    found = ", ".join(f"the {engine} engine delivered {opset}" for engine, opset in delivered.items())
    raise StepFailed(f"opset {parameters['opset']} was asked for, {found}: ask for another opset or engine")


def _engines(model: torch.nn.Module, parameters: Mapping[str, JSON]) -> tuple[str, ...]:
    """dynamo cannot export ScriptModules and cannot go down to every opset; it alone is not a user's wish."""
    import torch

    if parameters["engine_named"]:
        return (parameters["engine"],)
    return ("trace",) if isinstance(model, torch.jit.ScriptModule) else ("dynamo", "trace")


def _dynamo(
    model: torch.nn.Module, tensors: Example, signature: Signature, parameters: Mapping[str, JSON], path: Path
) -> dict[str, JSON]:
    import torch

    device = str(tensors[0].device) if tensors else "cpu"
    program, derived = exported_program(model, tensors, signature, {}, device)
    # With gradients on, the decompositions fail on views that they make of attention (T5).
    with torch.no_grad():
        made = torch.onnx.export(program, (), None, dynamo=True, **_options(signature, parameters))
    assert made is not None
    made.save(path, external_data=True)
    return {"derived_sizes": derived}


def _trace(
    model: torch.nn.Module, tensors: Example, signature: Signature, parameters: Mapping[str, JSON], path: Path
) -> dict[str, JSON]:
    import torch

    axes = {spec.name: spec.axes for spec in (*signature.inputs, *signature.outputs)}
    options = {"dynamic_axes": axes, **_options(signature, parameters)}
    with torch.no_grad():
        flat = flat_module(model, signature)
        if isinstance(model, torch.jit.ScriptModule):
            # The exporter cannot trace through a scripted part; torch.jit can, and keeps its branches and loops.
            flat = torch.jit.trace(flat, tensors, check_trace=False)
        torch.onnx.export(flat, tensors, str(path), dynamo=False, **options)
    return {}


def _script(
    model: torch.nn.Module, tensors: Example, signature: Signature, parameters: Mapping[str, JSON], path: Path
) -> dict[str, JSON]:
    import torch

    return _trace(torch.jit.script(model), tensors, signature, parameters, path)


ENGINES = {"dynamo": _dynamo, "trace": _trace, "script": _script}


def _options(signature: Signature, parameters: Mapping[str, JSON]) -> dict[str, Any]:
    names = {"input_names": [s.name for s in signature.inputs], "output_names": [s.name for s in signature.outputs]}
    own = {key: value for key, value in parameters["custom_args"].items() if key != SESSION_OPTIONS}
    return {"opset_version": parameters["opset"], "verbose": False, **names, **own}


def _quietly(engine: Callable[..., dict[str, JSON]], *args: Any) -> dict[str, JSON]:
    """Silence the exporter's remarks on packages that no model here needs ("torchvision is not installed")."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        return engine(*args)
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


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
