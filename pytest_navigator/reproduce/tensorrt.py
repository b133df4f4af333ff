"""TensorRT in scripts: Polygraphy's command line, what writes the network before it, and its runner (pure)."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from pytest_navigator.reproduce.code import literal
from pytest_navigator.reproduce.code import own_names
from pytest_navigator.reproduce.parts import CommandLine
from pytest_navigator.reproduce.parts import MakingCode
from pytest_navigator.reproduce.parts import RunnerCode
from pytest_navigator.runners.outputs import has_own_names
from pytest_navigator.tensorrt import command
from pytest_navigator.tensorrt import network
from pytest_navigator.tensorrt import profiles
from pytest_navigator.tensorrt.onnx_precision import write_network

if TYPE_CHECKING:
    from pytest_navigator.reproduce.parts import Subject

REPRODUCED = "reproduced"

WRITE = """samples = {samples}
write_network(args.artifact, args.output, {precision!r}, samples, hierarchy={hierarchy})"""

LOAD = """{environment}from polygraphy import cuda
from polygraphy.backend.common import BytesFromPath
from polygraphy.backend.trt import EngineFromBytes, TrtRunner
model = TrtRunner(EngineFromBytes(BytesFromPath(args.artifact)))
model.activate()"""

PREPARE = """from polygraphy import cuda
x = {name: cuda.DeviceArray(array.shape, array.dtype).copy_from(array) for name, array in feed.items()}"""

CALL = "y = model.infer(x, copy_outputs_to_host=False)"


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


def runner_code(subject: Subject, backend: str) -> RunnerCode:
    """Return the run of an engine by Polygraphy, with inputs on the GPU."""
    environment = "".join(f"os.environ[{key!r}] = {value!r}\n" for key, value in command.ENVIRONMENT[backend].items())
    load = LOAD.format(environment=environment)
    views = "zip(OUTPUTS, y.values())" if has_own_names(subject.signature) else "y.items()"
    outputs = f"{{name: np.array(view.numpy()) for name, view in {views}}}"
    prepare = "\n".join(filter(None, (own_names(subject.signature, "model.get_input_metadata()"), PREPARE)))
    return RunnerCode(load, prepare, CALL, outputs, imports=("import os",))


def _write_network(subject: Subject) -> MakingCode:
    parameters = subject.variant.parameters
    calibrated = parameters["precision"] in network.CALIBRATED
    paths = literal(list(subject.loader.batches))
    samples = f"[read(path, INPUTS) for path in {paths}]" if calibrated else "[]"
    hierarchy = parameters["precision_mode"] == "hierarchy"
    body = WRITE.format(samples=samples, precision=parameters["precision"], hierarchy=hierarchy)
    return MakingCode(body, functions=(write_network,))
