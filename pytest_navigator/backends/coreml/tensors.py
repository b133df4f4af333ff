"""What goes into and comes out of a model of Core ML: its types, the sizes of its axes, and whether they are right."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from pytest_navigator.errors import StepFailed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_navigator.core.records import LoaderRecord, Signature, TensorSpec

# What Core ML's arrays have for each type.
TYPES = {
    **dict.fromkeys(("float32", "float64"), "float32"),
    "float16": "float16",
    **dict.fromkeys(("int8", "uint8", "int16", "uint16", "int32", "int64"), "int32"),
}

Range = list[int]
"""An axis: the smallest, the usual and the largest size."""


def check_types(signature: Signature) -> None:
    """Refuse types that Core ML does not have, and numbers without an axis, which it does not take.

    Raises:
        StepFailed: an input or output is of one.
    """
    for spec in (*signature.inputs, *signature.outputs):
        if spec.dtype not in TYPES:
            raise StepFailed(f"{spec.name!r} is {spec.dtype}, which no array of Core ML can be")
    for spec in signature.inputs:
        if not spec.shape:
            raise StepFailed(f"{spec.name!r} has no axis, and Core ML takes arrays only: give it the shape (1,)")


def check_target(name: str | None, known: Sequence[str]) -> None:
    """Refuse a system that coremltools does not know.

    Args:
        known: all that it knows.

    Raises:
        StepFailed: with the nearest one.
    """
    if name is not None and name not in known:
        near = next(iter(get_close_matches(name, known, n=1)), known[-1])
        raise StepFailed(f"coremltools knows no minimum_deployment_target {name!r}; did you mean {near!r}?")


def ranges(loader: LoaderRecord, signature: Signature) -> list[list[Range]]:
    """Return the sizes of every axis of every input: those of the loader, and of a batch all from 1 on (pure)."""
    return [_ranges(loader, spec, signature.batch_dim) for spec in signature.inputs]


def _ranges(loader: LoaderRecord, spec: TensorSpec, batch_dim: int | None) -> list[Range]:
    seen = loader.profile.get(spec.name) or {word: list(spec.shape) for word in ("min", "opt", "max")}
    found = [list(sizes) for sizes in zip(seen["min"], seen["opt"], seen["max"], strict=True)]
    for axis, sizes in enumerate(found):
        if axis not in spec.axes:
            found[axis] = [spec.shape[axis]] * 3
        elif axis == batch_dim:
            most = max(sizes[2], loader.asked_batch or 0)
            found[axis] = [1, max(1, sizes[1]), max(1, most)]
    return found


def largest(shapes: Sequence[Sequence[Range]], signature: Signature) -> int | None:
    """Return the largest batch that is taken; None without a batch axis (pure)."""
    dim = signature.batch_dim
    sizes = [shape[dim][2] for spec, shape in zip(signature.inputs, shapes, strict=True) if dim in spec.axes]
    return min(sizes) if sizes else None


def inputs(signature: Signature, shapes: Sequence[Sequence[Range]]) -> list[dict[str, Any]]:
    """Return what `coremltools.TensorType` is to say of each input; an axis of one size is that size (pure)."""
    return [
        {
            "name": spec.name,
            "shape": [sizes[0] if sizes[0] == sizes[2] else sizes for sizes in shape],
            "dtype": TYPES[spec.dtype],
        }
        for spec, shape in zip(signature.inputs, shapes, strict=True)
    ]


def outputs(signature: Signature) -> list[dict[str, str]]:
    """Return what `coremltools.TensorType` is to say of each output (pure)."""
    return [{"name": spec.name, "dtype": TYPES[spec.dtype]} for spec in signature.outputs]


def check_written(found: Mapping[str, Any], signature: Signature, shapes: Sequence[Sequence[Range]]) -> None:
    """Compare what a file says of its inputs and outputs with those of the model (pure).

    Args:
        found: what `model.read_spec` returns.

    Raises:
        StepFailed: a name, a type or the size of an axis is another one.
    """
    wanted: dict[str, list[dict[str, Any]]] = {
        "inputs": [
            {"name": spec.name, "dtype": TYPES[spec.dtype], "sizes": [[sizes[0], sizes[2]] for sizes in shape]}
            for spec, shape in zip(signature.inputs, shapes, strict=True)
        ],
        "outputs": [{"name": spec.name, "dtype": TYPES[spec.dtype]} for spec in signature.outputs],
    }
    for kind, tensors in wanted.items():
        told = [{key: tensor[key] for key in tensors[0]} for tensor in found[kind]] if tensors else []
        if sorted(told, key=_name) != sorted(tensors, key=_name):
            raise StepFailed(f"the file says of its {kind} {told}, the model has {tensors}")


def note(signature: Signature) -> str:
    """Return what people should know of the types: those that Core ML has others for (pure)."""
    changed: dict[str, list[str]] = {}
    for spec in (*signature.inputs, *signature.outputs):
        if TYPES[spec.dtype] != spec.dtype:
            changed.setdefault(f"{spec.dtype} is {TYPES[spec.dtype]} there", []).append(spec.name)
    return "; ".join(f"{', '.join(names)}: {text}" for text, names in changed.items())


def _name(tensor: Mapping[str, Any]) -> str:
    return str(tensor["name"])
