"""Making ONNX files with fewer bits, as source text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.backends.onnx.quantization import schemes
from pytest_navigator.backends.onnx.quantization.making import chosen_options, writing
from pytest_navigator.backends.onnx.running_code import LOADS, LOADS_HALF
from pytest_navigator.core.script_parts import MakingCode
from pytest_navigator.reproduce.code import call_of, literal

if TYPE_CHECKING:
    from pytest_navigator.core.script_parts import Subject


def script(subject: Subject) -> MakingCode:
    """Return what writes the file again, with what was chosen when it was made."""
    parameters, data = subject.variant.parameters, subject.data
    kind, live, before = parameters["kind"], ["args.artifact", "args.output"], ""
    chosen = data.get("chosen") or chosen_options(parameters, reduced=schemes.saturates(), are_signed=schemes.signed())
    work = writing(kind, data.get("kept", parameters["quantization"]["exclude"]), chosen, ())
    if kind == "int8":
        most = parameters["quantization"]["samples"]
        paths = literal(list(subject.loader.batches)[:most], "paths")
        before = f"{paths}\nsamples = [read(path, INPUTS) for path in paths]\n"
        work.keywords.pop("samples")
        live.append("samples")
    code = MakingCode(before + call_of(work, *live), functions=(work.func,))
    # What is made in bfloat16 loads on GPUs only.
    return code if kind == "bf16" else code.then(LOADS_HALF if kind == "fp16" else LOADS)
