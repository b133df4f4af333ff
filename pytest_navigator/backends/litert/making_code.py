"""Conversions to LiteRT as source text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.backends.litert.making import of_torch, quantizing, writing
from pytest_navigator.core.script_parts import MakingCode
from pytest_navigator.reproduce.code import call_of, literal

if TYPE_CHECKING:
    from pytest_navigator.backends.litert.shapes import Shapes
    from pytest_navigator.core.script_parts import Subject


def script(subject: Subject) -> MakingCode:
    """Return the conversion, and a calibration by the samples of the package."""
    variant, signature = subject.variant, subject.signature
    files: dict[str, Shapes] = subject.data.get("files") or {
        "model": {name: list(shape) for name, shape in subject.shapes.items()}
    }
    work = writing(variant, signature, files)
    code = MakingCode(call_of(work, "args.artifact", "args.output"), functions=(work.func,))
    if variant.parameters["precision"] != "int8":
        return code
    most = variant.parameters["quantization"]["samples"]
    samples = f"[read(path, INPUTS) for path in {literal(list(subject.loader.batches)[:most])}]"
    if of_torch(variant):
        after = quantizing(variant, signature, files, list(subject.data.get("left_out") or ()))
        return code.then(MakingCode(call_of(after, "args.output", samples), functions=(after.func,)))
    return MakingCode(call_of(work, "args.artifact", "args.output", samples), functions=(work.func,))
