"""ONNX of a live PyTorch model, by torch's dynamo exporter and by its TorchScript-based one."""

from __future__ import annotations

import logging
import tempfile
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_navigator.backends.onnx.file import check_opset, store
from pytest_navigator.backends.torch.exports import write_onnx, write_onnx_by_trace
from pytest_navigator.backends.torch.flat import example_tensors, exported_program, flat_module, on_device, scripted
from pytest_navigator.backends.torch.program_values import PROGRAM, keep_program
from pytest_navigator.backends.torch.source import preserving
from pytest_navigator.configuration.foreign_options import SESSION_OPTIONS
from pytest_navigator.errors import StepFailed
from pytest_navigator.formats.exporting import exporter
from pytest_navigator.reproduce.code import call_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np
    import torch

    from pytest_navigator.backends.torch.flat import Example
    from pytest_navigator.core.plain import JSON, Parameters
    from pytest_navigator.core.records import Signature
    from pytest_navigator.core.script_parts import MakingCode, Subject
    from pytest_navigator.core.variants import Variant
    from pytest_navigator.frameworks.base import Source

EXPORT = "torch.onnx.export"


def export_onnx(
    source: Source, example: Mapping[str, np.ndarray], signature: Signature, variant: Variant, path: Path
) -> dict[str, JSON]:
    """Export by the engine that the variant names.

    Raises:
        StepFailed: it declines the model, or delivers another opset.
    """
    engine = variant.parameters["engine"]
    with exporter(EXPORT) as lines:
        facts = _export(source, example, signature, variant.parameters, path)
    return {"engine": engine, **facts, "warnings": lines}


def export_script(subject: Subject) -> MakingCode:
    """Return the export by the engine that delivered, else by the one that is to be tried."""
    from pytest_navigator.backends.torch import making_code as text

    signature, parameters = subject.signature, subject.variant.parameters
    engine = subject.data.get("engine") or parameters["engine"]
    if engine == "dynamo":
        work = writing(signature, parameters)
        program = text.program(signature, {}, derived=bool(subject.data.get("derived_sizes")))
        return text.making(subject, f"{program}\n{call_of(work, 'program', 'args.output')}", work.func)
    work = tracing(signature, parameters, scripted=engine == "script" or subject.model.startswith("torch.jit."))
    scripted = "model = torch.jit.script(model)\n" if engine == "script" else ""
    return text.making(subject, f"{scripted}{call_of(work, 'Flat(model)', 'tensors', 'args.output')}", work.func)


def _export(
    source: Source, example: Mapping[str, np.ndarray], signature: Signature, parameters: Parameters, path: Path
) -> dict[str, JSON]:
    model, device = on_device(source, parameters)
    tensors, engine = example_tensors(example, signature, device), parameters["engine"]
    # Exporters may write weights into files beside this one: `store` makes one file of them where that is possible.
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        made = Path(folder, path.name)
        with quiet():
            facts = ENGINES[engine](model, tensors, signature, parameters, made)
        try:
            check_opset(str(made), parameters["opset"], f"the {engine} engine")
        except ValueError as error:
            raise StepFailed(f"{error}: ask for another opset or engine") from None
        store(made, path)
        _store_program(made.with_name(PROGRAM), path.with_name(PROGRAM))
    return facts


def _store_program(made: Path, path: Path) -> None:
    """Keep the program that the file was made of, if there is one, in the place of that of another file."""
    path.unlink(missing_ok=True)
    if made.exists():
        made.rename(path)


def _dynamo(
    model: torch.nn.Module, tensors: Example, signature: Signature, parameters: Parameters, path: Path
) -> dict[str, JSON]:
    import torch

    if isinstance(model, torch.jit.ScriptModule):
        raise StepFailed("torch.export does not take ScriptModules")
    device = str(tensors[0].device) if tensors else "cpu"
    program, derived = exported_program(model, tensors, signature, {}, device)
    keep_program(writing(signature, parameters)(program, str(path)), path.parent)
    return {"derived_sizes": derived}


def trace(
    model: torch.nn.Module, tensors: Example, signature: Signature, parameters: Parameters, path: Path
) -> dict[str, JSON]:
    """Export by the TorchScript-based exporter, a ScriptModule too."""
    import torch

    scripted = isinstance(model, torch.jit.ScriptModule)
    with preserving(model):
        tracing(signature, parameters, scripted=scripted)(flat_module(model, signature), tensors, str(path))
    return {}


def _script(
    model: torch.nn.Module, tensors: Example, signature: Signature, parameters: Parameters, path: Path
) -> dict[str, JSON]:

    return trace(scripted(model), tensors, signature, parameters, path)


ENGINES = {"dynamo": _dynamo, "trace": trace, "script": _script}


def writing(signature: Signature, parameters: Parameters) -> partial[Any]:
    """Return what writes an exported program to a path."""
    return partial(write_onnx, options=_options(signature, parameters))


def tracing(signature: Signature, parameters: Parameters, *, scripted: bool) -> partial[None]:
    """Return what traces a flat module with example tensors and writes it to a path."""
    axes = {spec.name: spec.axes for spec in (*signature.inputs, *signature.outputs)}
    options = {"dynamic_axes": axes, **_options(signature, parameters)}
    return partial(write_onnx_by_trace, scripted=scripted, options=options)


def _options(signature: Signature, parameters: Parameters) -> dict[str, Any]:
    """Return the options of `torch.onnx.export` that both exporters have."""
    names = {"input_names": [s.name for s in signature.inputs], "output_names": [s.name for s in signature.outputs]}
    own = {key: value for key, value in parameters["custom_args"].items() if key != SESSION_OPTIONS}
    return {"opset_version": parameters["opset"], "verbose": False, **names, **own}


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the exporter's remarks on packages that no model here needs ("torchvision is not installed")."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
