"""What a call of a package's runner costs above the runtime's own call.

    python benchmarks/runner_calls.py
    python benchmarks/runner_calls.py --repetitions=300 onnx savedmodel

A linear model of 42 parameters, whose call takes microseconds, in the runners that `Package.get_runner` gives, on the
processor: `runner(x)` and `runner.infer({"input": x})` against the same call written by hand. Nothing needs conversion
where `runner(x)` takes what the runtime takes (numpy's arrays in ONNX Runtime, tensors in TorchScript); the other rows
tell what conversion costs. The bare call of PyTorch enters `torch.inference_mode`, as whoever writes one call does.
Both sides alternate in one process: the differences of their median latencies, the least and the median one. Aim: at
most 2 us above ONNX Runtime where nothing needs conversion.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import warnings
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import onnxruntime
import torch
from costs import table
from inference import CALLS, FEED, SIGNATURE, Bare, pairs, timed

from pytest_navigator.backends.files.frameworks import OnnxFiles
from pytest_navigator.backends.torch.source import TorchFramework
from pytest_navigator.package.running.runner import PackageRunner

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_navigator.frameworks.base import Framework
    from pytest_navigator.runners.base import Runner

HEADINGS = ("runner", "call", "bare (us)", "called (us)", "above, least (us)", "above, median (us)")
ONE_THREAD = {"custom_args": {"session_options": {"intra_op_num_threads": 1}}}


@dataclass(frozen=True)
class Side:
    """A runner with the framework of its package, an array of that framework, and the runtime's own call."""

    runner: Runner
    framework: Framework
    array: Any
    bare: Bare


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", help="parts of the runners' names (default: all)")
    parser.add_argument("--repetitions", type=int, default=100)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for side in sides(Path(folder)):
            if any(name.lower() in side.runner.name.lower() for name in arguments.names or [""]):
                rows += measured(side, arguments.repetitions)
    rounds = f"{arguments.repetitions} alternating rounds of {CALLS} calls"
    print(f"{rounds}; load average {os.getloadavg()[0]:.1f}.\n")
    print(table(HEADINGS, rows))


def sides(folder: Path) -> Iterator[Side]:
    """Yield the runners of a package of PyTorch, of one of an ONNX file, and of TensorFlow where it is installed."""
    tensor = torch.from_numpy(FEED["input"])
    for runner, bare in pairs(folder):
        if runner.name == "OnnxCPU":
            runner.parameters, bare = ONE_THREAD, session_run(runner.artifact)
            yield Side(with_types(runner, "numpy"), OnnxFiles(), FEED["input"], bare)
            yield Side(runner, TorchFramework(), tensor, bare)
        else:
            yield Side(runner, TorchFramework(), tensor, inferring(bare))
    with suppress(ModuleNotFoundError):
        yield savedmodel(folder / "savedmodel")


def session_run(artifact: object) -> Bare:
    """Return the run of a session of one thread: more would wait for the next call on a processor of their own."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(artifact), options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, FEED)


def with_types(runner: Runner, array_type: str) -> Runner:
    """Return the runner as it is in a package whose model takes and gives other arrays."""
    return type(runner)(runner.artifact, replace(runner.signature, array_type=array_type), runner.parameters)


def inferring(bare: Bare) -> Bare:
    """Return the call in inference mode."""

    def call() -> object:
        with torch.inference_mode():
            return bare()

    return call


def savedmodel(folder: Path) -> Side:
    """Return the runner of a SavedModel."""
    import tensorflow as tf

    from pytest_navigator.backends.builtin import known

    TensorFlowSavedModelCPU = known().runners()["TensorFlowSavedModelCPU"].load()
    from pytest_navigator.backends.tensorflow.source import TensorFlowFramework

    module, array = tf.Module(), tf.constant(FEED["input"])
    module.weight = tf.Variable(tf.ones((5, 7)))
    spec = tf.TensorSpec((None, 5), tf.float32, "input")
    module.run = tf.function(lambda input: {"output__0": tf.matmul(input, module.weight)}, input_signature=[spec])
    tf.saved_model.save(module, str(folder), signatures=module.run)
    loaded = tf.saved_model.load(str(folder))
    function = loaded.signatures["serving_default"]
    runner = TensorFlowSavedModelCPU(folder, replace(SIGNATURE, array_type="tensorflow"), {})
    return Side(runner, TensorFlowFramework(), array, lambda loaded=loaded: function(input=array))  # type: ignore[misc]


def measured(side: Side, repetitions: int) -> Iterator[list[str]]:
    """Yield a row for each way of calling a runner."""
    with PackageRunner(side.runner, side.runner.format, side.framework, None) as runner:
        for text, call in ways(runner, side.array).items():
            yield [side.runner.name, text, *figures(call, side.bare, repetitions)]


def ways(runner: PackageRunner, array: Any) -> dict[str, Bare]:
    """Return what can be written to call a runner."""
    kind = type(array).__module__.partition(".")[0]
    return {
        f"runner({kind})": lambda: runner(array),
        f"runner(input={kind})": lambda: runner(input=array),
        f"runner({{'input': {kind}}})": lambda: runner({"input": array}),
        "infer({'input': numpy})": lambda: runner.infer(FEED),
    }


def figures(call: Bare, bare: Bare, repetitions: int) -> list[str]:
    """Return the medians of both sides, the least difference and the median one."""
    for each in (call, bare):
        each()
    found = [(timed(bare), timed(call)) for _ in range(repetitions)]
    least = [min(latencies) for latencies in zip(*found, strict=True)]
    middle = [median(latencies) for latencies in zip(*found, strict=True)]
    between = median(called - own for own, called in found)
    return [f"{middle[0]:.2f}", f"{middle[1]:.2f}", f"{least[1] - least[0]:+.2f}", f"{between:+.2f}"]


if __name__ == "__main__":
    main()
