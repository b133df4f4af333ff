"""ONNX of files of PyTorch: of TorchScript by tracing it, of exported programs by the dynamo exporter."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_navigator.formats.exporting import exporter
from pytest_navigator.formats.flat import example_tensors
from pytest_navigator.formats.onnx_file import store
from pytest_navigator.formats.torch_onnx import options
from pytest_navigator.formats.torch_onnx import quietly
from pytest_navigator.formats.torch_onnx import trace
from pytest_navigator.reproduce.onnx import conversion_code

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import torch

    from pytest_navigator.records import JSON
    from pytest_navigator.records import Signature
    from pytest_navigator.records import Variant
    from pytest_navigator.reproduce.parts import MakingCode
    from pytest_navigator.reproduce.parts import Subject


def convert_torchscript(
    parent: Path, example: Mapping[str, np.ndarray], signature: Signature, variant: Variant, path: Path
) -> dict[str, JSON]:
    """Trace the loaded ScriptModule, which keeps its branches and loops, and export that."""
    device = variant.parameters["device"] or "cpu"
    with exporter("torch.onnx.export") as lines:
        module = _loaded(parent, device)
        quietly(trace, module, example_tensors(example, signature, device), signature, variant.parameters, path)
    return {"engine": "trace", "warnings": lines}


def convert_program(
    parent: Path, example: Mapping[str, np.ndarray], signature: Signature, variant: Variant, path: Path
) -> dict[str, JSON]:
    """Export the loaded program; it needs no example."""
    import torch

    with exporter("torch.onnx.export") as lines, tempfile.TemporaryDirectory(dir=path.parent) as folder:
        made = Path(folder, path.name)
        quietly(_dynamo, torch.export.load(str(parent)), signature, variant.parameters, made)
        store(made, path)
    return {"engine": "dynamo", "warnings": lines}


def torchscript_script(subject: Subject) -> MakingCode:
    """Return the conversion of a TorchScript file as source text."""
    load = f"model = torch.jit.load(args.artifact, map_location={subject.variant.parameters['device'] or 'cpu'!r})"
    return conversion_code(subject, load, options(subject.signature, subject.variant.parameters))


def program_script(subject: Subject) -> MakingCode:
    """Return the conversion of an exported program as source text."""
    load = "program = torch.export.load(args.artifact)"
    return conversion_code(subject, load, options(subject.signature, subject.variant.parameters))


def _loaded(parent: Path, device: str) -> torch.nn.Module:
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        module: torch.nn.Module = torch.jit.load(str(parent), map_location=device)
    return module.eval()


def _dynamo(
    program: torch.export.ExportedProgram, signature: Signature, parameters: Mapping[str, JSON], path: Path
) -> dict[str, JSON]:
    import torch

    with torch.no_grad():
        made = torch.onnx.export(program, (), None, dynamo=True, **options(signature, parameters))
    assert made is not None
    made.save(path, external_data=True)
    return {}
