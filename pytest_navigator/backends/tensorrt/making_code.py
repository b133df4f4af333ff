"""TensorRT in scripts: Polygraphy's command line, and source text of what writes the network before it."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from pytest_navigator.backends.tensorrt import command, network, profiles
from pytest_navigator.backends.tensorrt.onnx_precision import write_network
from pytest_navigator.core.script_parts import CommandLine, MakingCode
from pytest_navigator.reproduce.code import literal

if TYPE_CHECKING:
    from pytest_navigator.core.script_parts import Subject

REPRODUCED = "reproduced"

WRITE = """samples = {samples}
write_network(args.artifact, args.output, {precision!r}, samples, hierarchy={hierarchy})"""


def build(subject: Subject, backend: str) -> CommandLine:
    """Return what builds the engine again, for the batch size for which it was built.

    Raises:
        StepFailed: the profiles do not fit the model.
    """
    parameters = subject.variant.parameters
    folder = PurePosixPath(subject.variant.key)
    assert subject.parent is not None
    source, before = PurePosixPath(subject.parent.key, subject.parent.file), None
    if network.changes(parameters):
        source = folder / f"{REPRODUCED}.onnx"
        before = (network.NETWORK, _write_network(subject))
    shapes = subject.data.get("profiles") or profiles.completed(
        subject.loader.profile, subject.loader.asked_batch, parameters["trt_profiles"], subject.signature
    )
    plan = folder / f"{REPRODUCED}{PurePosixPath(subject.variant.file).suffix}"
    arguments = ("polygraphy", *command.convert(str(source), str(plan), parameters, shapes))
    return CommandLine(arguments, command.MAIN, command.ENVIRONMENT[backend], before)


def _write_network(subject: Subject) -> MakingCode:
    parameters = subject.variant.parameters
    calibrated = parameters["precision"] in network.CALIBRATED
    paths = literal(list(subject.loader.batches))
    samples = f"[read(path, INPUTS) for path in {paths}]" if calibrated else "[]"
    hierarchy = parameters["precision_mode"] == "hierarchy"
    body = WRITE.format(samples=samples, precision=parameters["precision"], hierarchy=hierarchy)
    return MakingCode(body, functions=(write_network,))
