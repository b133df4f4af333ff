"""Conversions to ExecuTorch as source text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.backends.executorch.lowering import read_program
from pytest_navigator.backends.executorch.making import lowering, quantizing
from pytest_navigator.core.script_parts import MakingCode
from pytest_navigator.reproduce.code import call_of, literal

if TYPE_CHECKING:
    from pytest_navigator.core.script_parts import Subject


def script(subject: Subject) -> MakingCode:
    """Return the conversion, and a calibration by the samples of the package."""
    variant = subject.variant
    shapes = subject.data.get("shapes") or [list(shape) for shape in subject.shapes.values()]
    read, write = (
        MakingCode("program = read_program(args.artifact)", functions=(read_program,)),
        lowering(variant, shapes),
    )
    if variant.parameters["precision"] != "int8":
        return read.then(MakingCode(call_of(write, "program", "args.output"), functions=(write.func,)))
    most = variant.parameters["quantization"]["samples"]
    samples = f"[read(path, INPUTS) for path in {literal(list(subject.loader.batches)[:most])}]"
    work = quantizing(variant, list(subject.data.get("left_out") or ()))
    made = MakingCode(f"module = {call_of(work, 'program', samples)}", functions=(work.func,))
    written = call_of(write, "program", "args.output").removesuffix(")") + ", module=module)"
    return read.then(made).then(MakingCode(written, functions=(write.func,)))
