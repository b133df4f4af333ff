"""ONNX of files of PyTorch: of TorchScript by tracing it, of exported programs by either exporter."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_navigator.backends.onnx.file import store
from pytest_navigator.backends.torch.exports import without_modes
from pytest_navigator.backends.torch.flat import example_tensors
from pytest_navigator.backends.torch.onnx_export import quiet, trace, tracing, writing
from pytest_navigator.backends.torch.programs import load_program
from pytest_navigator.formats.exporting import exporter
from pytest_navigator.reproduce.code import call_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    import torch

    from pytest_navigator.core.plain import JSON
    from pytest_navigator.core.records import Signature
    from pytest_navigator.core.script_parts import MakingCode, Subject
    from pytest_navigator.core.variants import Variant


def convert_torchscript(
    parent: Path, example: Mapping[str, np.ndarray], signature: Signature, variant: Variant, path: Path
) -> dict[str, JSON]:
    """Trace the loaded ScriptModule, which keeps its branches and loops, and export that."""
    device = variant.parameters["device"] or "cpu"
    with exporter("torch.onnx.export") as lines, quiet():
        module = _loaded(parent, device)
        trace(module, example_tensors(example, signature, device), signature, variant.parameters, path)
    return {"engine": "trace", "warnings": lines}


def convert_program(
    parent: Path, example: Mapping[str, np.ndarray], signature: Signature, variant: Variant, path: Path
) -> dict[str, JSON]:
    """Export the loaded program by the engine that the variant names; dynamo needs no example."""
    engine = variant.parameters["engine"]
    with exporter("torch.onnx.export") as lines, quiet(), tempfile.TemporaryDirectory(dir=path.parent) as folder:
        made, program = Path(folder, path.name), load_program(parent)
        if engine == "dynamo":
            writing(signature, variant.parameters)(program, str(made))
        else:
            tensors = example_tensors(example, signature, "cpu")
            trace(without_modes(program.module()), tensors, signature, variant.parameters, made)
        store(made, path)
    return {"engine": engine, "warnings": lines}


def torchscript_script(subject: Subject) -> MakingCode:
    """Return the conversion of a TorchScript file as source text."""
    load = f"model = torch.jit.load(args.artifact, map_location={subject.variant.parameters['device'] or 'cpu'!r})"
    return _traced(subject, load, scripted=True)


def program_script(subject: Subject) -> MakingCode:
    """Return the conversion of an exported program as source text, by the engine that delivered."""
    from pytest_navigator.backends.torch import making_code as text

    parameters = subject.variant.parameters
    load = "program = torch.export.load(args.artifact)"
    if (subject.data.get("engine") or parameters["engine"]) == "trace":
        return _traced(subject, f"{load}\nmodel = without_modes(program.module())", without_modes, scripted=False)
    work = writing(subject.signature, parameters)
    return text.making(subject, call_of(work, "program", "args.output"), work.func, load=load)


def _traced(subject: Subject, load: str, *functions: Callable[..., object], scripted: bool) -> MakingCode:
    from pytest_navigator.backends.torch import making_code as text

    work = tracing(subject.signature, subject.variant.parameters, scripted=scripted)
    return text.making(
        subject, call_of(work, "Flat(model)", "tensors", "args.output"), work.func, *functions, load=load
    )


def _loaded(parent: Path, device: str) -> torch.nn.Module:
    import torch

    with warnings.catch_warnings():
        # torch.jit.load calls itself deprecated: whoever gives such a file can do nothing about it.
        warnings.simplefilter("ignore", DeprecationWarning)
        module: torch.nn.Module = torch.jit.load(str(parent), map_location=device)
    return module.eval()
