"""ONNX of a live PyTorch model, by torch's dynamo exporter and by its TorchScript-based one."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

from pytest_navigator.errors import StepFailed
from pytest_navigator.formats.exporting import exporter
from pytest_navigator.formats.exporting import failure
from pytest_navigator.formats.flat import example_tensors
from pytest_navigator.formats.flat import exported_program
from pytest_navigator.formats.flat import flat_module
from pytest_navigator.formats.flat import is_about_sizes
from pytest_navigator.formats.flat import on_device
from pytest_navigator.formats.onnx_file import opset_of
from pytest_navigator.formats.onnx_file import store
from pytest_navigator.reproduce.onnx import export_code
from pytest_navigator.runners.onnx import SESSION_OPTIONS

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Mapping

    import numpy as np
    import torch

    from pytest_navigator.formats.flat import Example
    from pytest_navigator.frameworks.base import Source
    from pytest_navigator.records import JSON
    from pytest_navigator.records import Signature
    from pytest_navigator.records import Variant
    from pytest_navigator.reproduce.parts import MakingCode
    from pytest_navigator.reproduce.parts import Subject

EXPORT = "torch.onnx.export"

OTHER_ENGINE = (
    "torch's other exporter may take every size (those of nn.GRU and nn.LSTM, for example): "
    "OnnxConfig(export_engine=OnnxTraceExportConfig())"
)
"""What to try where dynamo makes a dynamic axis a constant."""


def export_onnx(
    source: Source, example: Mapping[str, np.ndarray], signature: Signature, variant: Variant, path: Path
) -> dict[str, JSON]:
    """Try the engines until one delivers the opset; returns which one did."""
    with exporter(EXPORT) as lines:
        data = _export(source, example, signature, variant.parameters, path)
    return {**data, "warnings": lines}


def export_script(subject: Subject) -> MakingCode:
    """Return the export by the engine that delivered, else by the first."""
    parameters = subject.variant.parameters
    scripted = subject.model.startswith("torch.jit.") and not parameters["engine_named"]
    engine = subject.data.get("engine") or ("trace" if scripted else parameters["engine"])
    return export_code(subject, engine, options(subject.signature, parameters))


def _export(
    source: Source, example: Mapping[str, np.ndarray], signature: Signature, parameters: dict[str, JSON], path: Path
) -> dict[str, JSON]:
    model, device = on_device(source, parameters)
    tensors = example_tensors(example, signature, device)
    delivered = {}
    for engine in _engines(model, parameters):
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            made = Path(folder, path.name)
            facts = quietly(ENGINES[engine], model, tensors, signature, parameters, made)
            delivered[engine] = opset_of(made)
            if delivered[engine] == parameters["opset"]:
                store(made, path)
                return {"engine": engine, **facts}
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
    try:
        program, derived = exported_program(model, tensors, signature, {}, device)
    except Exception as error:
        if not is_about_sizes(error):
            raise
        told = failure(EXPORT, error)
        raise StepFailed(f"{told.message}; {OTHER_ENGINE}", told.detail, told.kind) from error
    # With gradients on, the decompositions fail on views that they make of attention (T5).
    with torch.no_grad():
        made = torch.onnx.export(program, (), None, dynamo=True, **options(signature, parameters))
    assert made is not None
    made.save(path, external_data=True)
    return {"derived_sizes": derived}


def trace(
    model: torch.nn.Module, tensors: Example, signature: Signature, parameters: Mapping[str, JSON], path: Path
) -> dict[str, JSON]:
    """Export by the TorchScript-based exporter, a ScriptModule too."""
    import torch

    axes = {spec.name: spec.axes for spec in (*signature.inputs, *signature.outputs)}
    own = {"dynamic_axes": axes, **options(signature, parameters)}
    with torch.no_grad():
        flat = flat_module(model, signature)
        if isinstance(model, torch.jit.ScriptModule):
            # The exporter cannot trace through a scripted part; torch.jit can, and keeps its branches and loops.
            flat = torch.jit.trace(flat, tensors, check_trace=False)
        torch.onnx.export(flat, tensors, str(path), dynamo=False, **own)
    return {}


def _script(
    model: torch.nn.Module, tensors: Example, signature: Signature, parameters: Mapping[str, JSON], path: Path
) -> dict[str, JSON]:
    import torch

    return trace(torch.jit.script(model), tensors, signature, parameters, path)


ENGINES = {"dynamo": _dynamo, "trace": trace, "script": _script}


def options(signature: Signature, parameters: Mapping[str, JSON]) -> dict[str, Any]:
    """Return the options of `torch.onnx.export` that both exporters have."""
    names = {"input_names": [s.name for s in signature.inputs], "output_names": [s.name for s in signature.outputs]}
    own = {key: value for key, value in parameters["custom_args"].items() if key != SESSION_OPTIONS}
    return {"opset_version": parameters["opset"], "verbose": False, **names, **own}


def quietly(engine: Callable[..., dict[str, JSON]], *args: Any) -> dict[str, JSON]:
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
