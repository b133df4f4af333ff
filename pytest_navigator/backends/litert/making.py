"""How LiteRT's files are made. Runs in the child."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any

from pytest_navigator.backends.litert.files import fitted, ports, quantizable, written
from pytest_navigator.backends.litert.from_tensorflow import convert_savedmodel
from pytest_navigator.backends.litert.from_torch import convert_program, quantize_files
from pytest_navigator.backends.litert.runner import own_names
from pytest_navigator.backends.litert.shapes import batch_sizes, shapes_of
from pytest_navigator.backends.torch.program_values import output_names, places
from pytest_navigator.backends.torch.programs import load_program
from pytest_navigator.core.facts import MakingFacts, QuantizedNodes, as_data
from pytest_navigator.core.plain import plain
from pytest_navigator.errors import StepFailed
from pytest_navigator.formats.exclusions import excluded
from pytest_navigator.formats.stack_lines import WRAPPER, module_path
from pytest_navigator.samples.calibration import calibration_batches

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import torch

    from pytest_navigator.backends.litert.shapes import Shapes
    from pytest_navigator.core.plain import JSON
    from pytest_navigator.core.records import Signature
    from pytest_navigator.core.variants import Variant
    from pytest_navigator.formats.base import LoaderData


def make(parent: Path, data: LoaderData, signature: Signature, variant: Variant, path: Path) -> dict[str, JSON]:
    """Write the files; returns what is worth recording.

    Raises:
        StepFailed: what of the model or its samples LiteRT cannot do.
    """
    files = shapes_of(data, signature)
    samples: Any = ()
    if variant.parameters["precision"] == "int8":
        samples = calibration_batches(data, variant.parameters["quantization"])
        _check_fitting(samples, files, signature)
    work = writing(variant, signature, files)
    names: list[str] = []
    if of_torch(variant):
        work(str(parent), str(path))
        if samples:
            names = left_out(variant.parameters["quantization"]["exclude"], path, parent)
            quantizing(variant, signature, files, names)(str(path), samples)
    else:
        work(str(parent), str(path), samples)
    check_ports(signature, path)
    recorded: dict[str, JSON] = {"files": plain(files), "left_out": plain(names)}
    if samples:
        recorded["quantized"] = plain(counted(variant, path, len(samples)))
    else:
        recorded["note"] = said(files, signature, path)
    return {**recorded, **as_data(MakingFacts(batch_sizes=batch_sizes(files, signature)))}


def of_torch(variant: Variant) -> bool:
    """Whether a variant is made of a program of `torch.export`."""
    return bool(variant.parameters["converter"] == "litert-torch")


def writing(variant: Variant, signature: Signature, files: Mapping[str, Shapes]) -> partial[None]:
    """Return what writes the files."""
    options = variant.parameters["custom_args"]
    if of_torch(variant):
        kinds = [spec.dtype for spec in signature.inputs]
        return partial(convert_program, files=dict(files), kinds=kinds, options=options)
    from pytest_navigator.backends.tensorflow.names import names_in_file
    from pytest_navigator.backends.tensorflow.runners import SIGNATURE

    own, _ = names_in_file(signature)
    return partial(
        convert_savedmodel,
        files=dict(files),
        arguments={name: argument for argument, name in own.items()},
        signature=variant.parameters.get("signature") or SIGNATURE,
        options=options,
        **_batch(signature),
    )


def quantizing(variant: Variant, signature: Signature, files: Mapping[str, Shapes], names: list[str]) -> partial[None]:
    """Return what quantizes the files of litert-torch."""
    asked = variant.parameters["quantization"]
    told = {name: asked[name] for name in ("symmetric", "per_channel") if asked[name] is not None}
    return partial(quantize_files, files=dict(files), left_out=names, **_batch(signature), **told)


def left_out(patterns: Sequence[str], folder: Path, parent: Path) -> list[str]:
    """Return the names of the tensors whose operators stay in floating point.

    Args:
        parent: the program that the files were made of.

    Raises:
        StepFailed: a pattern means none.
    """
    if not patterns:
        return []
    program = load_program(parent)
    paths = {**module_paths(program), **paths_of_outputs(program)}
    found = dict.fromkeys(name for path in sorted(folder.glob("*.tflite")) for name in written(str(path)))
    nodes = [(name, path) for name in found for path in paths_of(name, paths) or [""]]
    return list(dict.fromkeys(excluded(patterns, nodes)))


def module_paths(program: torch.export.ExportedProgram) -> dict[str, list[str]]:
    """Return what litert-torch calls each module of a program, its classes and last names, with its paths."""
    found: dict[str, list[str]] = {}
    for node in program.graph.nodes:
        stack = [(str(path), kind) for path, kind in node.meta.get("nn_module_stack", {}).values()]
        wrapped = bool(stack) and WRAPPER in str(stack[0][1])
        for depth in range(1, len(stack) + 1):
            called = "/".join(_called(path, kind) for path, kind in stack[:depth])
            path = module_path(stack[depth - 1][0], wrapped=wrapped)
            if path and path not in found.setdefault(called, []):
                found[called].append(path)
    return found


def paths_of_outputs(program: torch.export.ExportedProgram) -> dict[str, list[str]]:
    """Return what litert-torch calls each output, a number whatever module has computed it, with its path."""
    known = places(program)
    names = enumerate(output_names(program))
    return {f"serving_default_output_{index}_output": [known[name][0]] for index, name in names if name in known}


def paths_of(name: str, paths: Mapping[str, list[str]]) -> list[str]:
    """Return the paths of the modules that have computed a tensor; several where operators are fused."""
    parts = [re.sub(r";\d*$", "", part) for part in name.split(";;")]
    return [path for part in parts for path in paths.get(part.rstrip(";"), ())]


def place_of(line: str, parent: Path) -> str:
    """Return the path of the module whose operation a line of the user's code ("model.py:3") is, "" if none is."""
    return next((path for path, _, own in places(load_program(parent)).values() if own == line), "")


def _called(path: str, kind: Any) -> str:
    name = kind if isinstance(kind, str) else f"{kind.__module__}.{kind.__qualname__}"
    return f"{name}_{path.rpartition('.')[2]}" if path else name


def check_ports(signature: Signature, folder: Path) -> None:
    """Check that files take and give as much as the model does: arrays have no other place than their number.

    Raises:
        StepFailed: they do not.
    """
    from ai_edge_litert.interpreter import Interpreter

    model = Interpreter(str(min(folder.glob("*.tflite"))))
    for kind, specs in (("input", signature.inputs), ("output", signature.outputs)):
        found = ports(model, own_names(signature, kind), kind)
        if len(found) != len(specs):
            names = ", ".join(str(port["name"]) for port in found)
            raise StepFailed(f"the file has {len(found)} {kind}s ({names}), and the model {len(specs)}")


def counted(variant: Variant, folder: Path, samples: int) -> QuantizedNodes:
    """Return how many operators of a file compute in int8.

    Raises:
        StepFailed: none does.
    """
    patterns = variant.parameters["quantization"]["exclude"]
    found = quantizable(str(min(folder.glob("*.tflite"))))
    if not any(found):
        why = f": exclude={list(patterns)} leaves all of them out" if patterns else ""
        raise StepFailed(
            "there is nothing to quantize: the model has no convolution and no product with weights"
            if not found
            else f"none of the {len(found)} operators was quantized{why}"
        )
    scheme = f"int8 weights and activations, {variant.parameters['converter']}"
    return QuantizedNodes(sum(found), len(found), tuple(patterns), scheme=scheme, samples=samples)


def said(files: Mapping[str, Shapes], signature: Signature, folder: Path) -> str:
    """Return what is to be known of the files: the batch sizes, and the types of inputs that are others."""
    from ai_edge_litert.interpreter import Interpreter

    sizes = batch_sizes(files, signature)
    parts = [f"it takes batches of {', '.join(map(str, sizes))} alone"] if sizes else []
    parts += _sizes(files, signature)
    model = Interpreter(str(folder / f"{next(iter(files))}.tflite"))
    details = ports(model, [spec.name for spec in signature.inputs], "input")
    for spec, port in zip(signature.inputs, details, strict=False):
        kind = port["dtype"].__name__
        if kind not in (spec.dtype, f"{spec.dtype}_"):
            parts.append(f"input {spec.name} is {kind} in the file ({spec.dtype} in the model)")
    return "; ".join(parts)


def _sizes(files: Mapping[str, Shapes], signature: Signature) -> Iterator[str]:
    """Say which sizes other axes have in the files, where they have any in the model."""
    for spec in signature.inputs:
        for axis, size in enumerate(spec.shape):
            if size == -1 and not (spec.batched and axis == signature.batch_dim):
                made = sorted({shapes[spec.name][axis] for shapes in files.values()})
                yield f"axis {axis} of input {spec.name} is {', '.join(map(str, made))} alone"


def _batch(signature: Signature) -> dict[str, Any]:
    return {"batched": [spec.name for spec in signature.inputs if spec.batched], "axis": signature.batch_dim}


def _check_fitting(samples: Any, files: Mapping[str, Shapes], signature: Signature) -> None:
    for name, shapes in files.items():
        if next(iter(fitted(samples, shapes, **_batch(signature))), None) is None:
            raise StepFailed(f"no sample can be calibrated on for {name}, whose inputs are {shapes}")
