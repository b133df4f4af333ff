"""Torch-TensorRT in scripts: the compilation of an exported program, and its runner (pure)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from typing import Any

from pytest_navigator.formats.torch_tensorrt_model import compile_program
from pytest_navigator.reproduce import torch as text
from pytest_navigator.reproduce.code import literal
from pytest_navigator.reproduce.parts import MakingCode
from pytest_navigator.tensorrt import profiles

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Mapping

    from pytest_navigator.reproduce.parts import RunnerCode
    from pytest_navigator.reproduce.parts import Subject

COMPILE = """{inputs}
{options}
compile_program(args.artifact, args.output, inputs, options, {protocol}, "cuda")"""

LOAD = "model = torch_tensorrt.load(args.artifact).module()"


def conversion_code(
    subject: Subject, inputs: Callable[[profiles.Profile], list[dict[str, Any]]], options: Mapping[str, Any]
) -> MakingCode:
    """Return the compilation.

    Args:
        inputs: gives the arguments of the inputs for a profile. options: of the compiler.

    Raises:
        StepFailed: the profile does not fit the model.
    """
    profile = profile_of(subject)
    body = COMPILE.format(
        inputs=literal(inputs(profile), "inputs"),
        options=literal(dict(options), "options"),
        protocol=subject.variant.parameters["pickle_protocol"],
    )
    return MakingCode(body, functions=(compile_program,))


def profile_of(subject: Subject) -> profiles.Profile:
    """Return the profile that an artifact was built with; before it is built, the one of the first attempt."""
    if found := subject.data.get("profiles"):
        return dict(found[0])
    loader, given = subject.loader, subject.variant.parameters["trt_profiles"]
    return profiles.completed(loader.profile, loader.asked_batch, given, subject.signature)[0]


def runner_code(subject: Subject) -> RunnerCode:
    """Return the call of the loaded program."""
    code = text.runner_code(subject, LOAD, "cuda", flat=True)
    return replace(code, imports=(*code.imports, "import torch_tensorrt"))
