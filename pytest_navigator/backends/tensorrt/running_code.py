"""The run of an engine in scripts: source text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.backends.tensorrt import command
from pytest_navigator.core.script_parts import RunnerCode
from pytest_navigator.runners.outputs import has_own_names, own_names

if TYPE_CHECKING:
    from pytest_navigator.core.script_parts import Subject

LOAD = """{environment}from polygraphy import cuda
from polygraphy.backend.common import BytesFromPath
from polygraphy.backend.trt import EngineFromBytes, TrtRunner
model = TrtRunner(EngineFromBytes(BytesFromPath(args.artifact)))
model.activate()"""

PREPARE = """from polygraphy import cuda
x = {name: cuda.DeviceArray(array.shape, array.dtype).copy_from(array) for name, array in feed.items()}"""

CALL = "y = model.infer(x, copy_outputs_to_host=False)"


def runner_code(subject: Subject, backend: str) -> RunnerCode:
    """Return the run of an engine by Polygraphy, with inputs on the GPU."""
    environment = "".join(f"os.environ[{key!r}] = {value!r}\n" for key, value in command.ENVIRONMENT[backend].items())
    load = LOAD.format(environment=environment)
    views = "zip(OUTPUTS, y.values())" if has_own_names(subject.signature) else "y.items()"
    outputs = f"{{name: np.array(view.numpy()) for name, view in {views}}}"
    prepare = "\n".join(filter(None, (own_names(subject.signature, "model.get_input_metadata()"), PREPARE)))
    return RunnerCode(load, prepare, CALL, outputs, imports=("import os",))
