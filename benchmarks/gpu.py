"""The CUDA paths of PyTorch, ONNX Runtime and TensorRT on two examples, each p50 beside a bare timing by CUDA events.

    python benchmarks/gpu.py

Runs the suites of the CNN and of the transformer on the GPU, as a user does, and prints for each runner and batch size
whether it gives the source's numbers, the p50 latency that the package reports, and the median of the same call between
two CUDA events, without this project's profiler. Exits with 2, saying why, where there is no GPU that can be used.
`--cpu` does the same on the processor, with a clock in place of the events: figures of the CPU, to try this script.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import models
from costs import table

from pytest_navigator.backends.builtin import known
from pytest_navigator.backends.torch.runners import TorchRunner
from pytest_navigator.core.facts import profile_result
from pytest_navigator.core.steps import batch_of
from pytest_navigator.devices.present import devices
from pytest_navigator.devices.records import devices_line
from pytest_navigator.devices.requirements import missing
from pytest_navigator.engine.timing_sample import timed_batch
from pytest_navigator.engine.workspace import Workspace
from pytest_navigator.package.query.results import read_results
from pytest_navigator.samples.npz import load_npz
from pytest_navigator.samples.signatures import resized

if TYPE_CHECKING:
    from pytest_navigator.core.records import Outcome
    from pytest_navigator.engine.workspace import SuiteFolder
    from pytest_navigator.package.query.results import Results
    from pytest_navigator.runners.base import Runner

ROOT = Path(__file__).parents[1]
MODELS = {"torch_cnn": models.cnn, "torch_transformer": models.transformer, "torch_linear": models.linear}
FORMATS = ("torch", "torchscript-trace", "torch-exportedprogram", "onnx")
TENSORRT = "trt"
HEADINGS = ("format", "runner", "batch", "correctness", "max abs", "p50 (ms)", "bare (ms)", "difference", "GPU (MiB)")
WARM_UP, CALLS = 20, 200
QUIET = ("-q", *(part for name in ("randomly", "cacheprovider", "benchmark") for part in ("-p", f"no:{name}")))
LEFT = shutil.ignore_patterns("__pycache__", "navigator_workspace", "*.nav", ".pytest_cache", ".benchmarks")
Call = Callable[[], object]


def main() -> int:
    """Measure and print; returns the exit code."""
    arguments = parsed()
    if not arguments.cpu and (why := devices().missing):
        print(f"nothing was measured: {why}")
        return 2
    print(f"{versions()}\n")
    codes = [measured(name, arguments) for name in arguments.examples.split(",")]
    return max(codes)


def parsed() -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cpu", action="store_true", help="the same on the processor, to try this script")
    parser.add_argument("--seconds", default="5", help="longest profile of one runner at one batch size")
    parser.add_argument("--examples", default="torch_cnn,torch_transformer", help=f"of {', '.join(MODELS)}")
    parser.add_argument("--formats", help="as --nav-formats takes them; default: all that can be made here")
    return parser.parse_args()


def versions() -> str:
    """Return the GPU and the libraries that the figures are of."""
    import onnxruntime
    import torch

    return f"{devices_line(devices())}; PyTorch {torch.__version__}, ONNX Runtime {onnxruntime.__version__}"


def formats() -> tuple[str, ...]:
    """Return what can be made here; says why TensorRT cannot."""
    form = known().formats.get(TENSORRT)
    why = missing(form.requires_for("torch")) if form else "this version does not make it"
    if why:
        print(f"{TENSORRT}: not measured: {why}")
    return FORMATS if why else (*FORMATS, TENSORRT)


def measured(example: str, arguments: argparse.Namespace) -> int:
    """Run one example's suite, then time its runners again by events; returns pytest's exit code."""
    device, chosen = "cpu" if arguments.cpu else "cuda", arguments.formats or ",".join(formats())
    with tempfile.TemporaryDirectory(prefix="nav_gpu.") as folder:
        project = Path(folder, example)
        shutil.copytree(ROOT / "example_projects" / example, project, ignore=LEFT)
        options = [f"--nav-formats={chosen}", f"--nav-device={device}", f"--nav-profile-seconds={arguments.seconds}"]
        code = subprocess.run([sys.executable, "-m", "pytest", *QUIET, "--nav", *options], cwd=project).returncode
        for suite in Workspace(project / "navigator_workspace").suites():
            print(f"\n## {example} on {device}\n")
            print(table(HEADINGS, list(rows(suite, example))), flush=True)
    return code


def rows(folder: SuiteFolder, example: str) -> Iterator[list[str]]:
    """Yield a row for each figure, and one for each runner that has none, with the reason."""
    results = read_results(folder.path)
    for key, name in results.cells():
        checked = results.correctness(key, name)
        if checked is None:
            continue
        passed = [outcome for outcome in results.profiles(key, name) if outcome.passed]
        for outcome in passed:
            yield [key, name, outcome.batch, *correctness(checked), *figures(folder, results, outcome, example)]
        if not passed:
            yield [key, name, "-", *correctness(checked), "not measured", "not measured", "-", "-"]


def correctness(checked: Outcome) -> list[str]:
    """Return how the comparison ended, and the largest difference of any output."""
    outputs = checked.data.get("outputs", ())
    worst = f"{max(float(output['atol']) for output in outputs):.2g}" if outputs else "-"
    return ["ok" if checked.passed else f"{checked.status}: {checked.message}", worst]


def figures(folder: SuiteFolder, results: Results, outcome: Outcome, example: str) -> list[str]:
    """Return the reported p50, the bare one, how far the first is from the second, and the device memory."""
    reported = profile_result(outcome)
    bare = timed_again(folder, results, outcome, example)
    memory = "not measured" if reported.peak_gpu_memory is None else f"{reported.peak_gpu_memory:.0f}"
    difference = f"{(reported.p50_latency / bare - 1) * 100:+.1f} %"
    return [f"{reported.p50_latency:.4g}", f"{bare:.4g}", difference, memory]


def timed_again(folder: SuiteFolder, results: Results, outcome: Outcome, example: str) -> float:
    """Load the runner of a figure here, and return the median latency of its bare call in ms."""
    kind, variant = runner_class(outcome.runner), results.variant(outcome.key)
    artifact = live(example) if kind.live else folder.path / variant.key / variant.file
    with kind(artifact, folder.signature, variant.parameters) as runner:
        call = bare_call(runner, feed(folder, results, outcome.batch))
        return by_events(call) if runner.device == "cuda" else by_clock(call)


def runner_class(name: str) -> type[Runner]:
    """Return a built-in runner by its name."""
    return known().runners()[name].load()


def live(example: str) -> object:
    """Return the example's model as its runners take it; other weights than the suite's, of the same shapes."""
    from pytest_navigator.backends.torch.source import TorchFramework

    return TorchFramework().source(MODELS[example]()[0], {})


def feed(folder: SuiteFolder, results: Results, batch: str) -> dict[str, object]:
    """Return what the suite has timed, at one of its batch sizes."""
    signature = folder.signature
    arrays = load_npz(folder.path / timed_batch(folder), signature.inputs)
    size = batch_of(batch, results.source_facts.max_batch_size)
    return arrays if size is None else resized(arrays, signature.inputs, signature.batch_dim, size)


def bare_call(runner: Runner, arrays: dict[str, object]) -> Call:
    """Return the runtime's own call; of PyTorch without the wait for the device, which events do not need.

    `bind` sets PyTorch's modes (no gradients, autocast), and for other runtimes is the bare call itself, which returns
    when the device is done.
    """
    bound = runner.bind(arrays)
    if not isinstance(runner, TorchRunner):
        return bound
    positional, named = runner.arguments(runner.tensors(arrays))
    return lambda: runner.module(*positional, **named)


def by_events(call: Call) -> float:
    """Return the median time in ms between a CUDA event before and one after the call."""
    import torch

    def once() -> float:
        before, after = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        before.record()
        call()
        after.record()
        after.synchronize()
        return float(before.elapsed_time(after))

    return median([once() for _ in range(WARM_UP + CALLS)][WARM_UP:])


def by_clock(call: Call) -> float:
    """Return the median time in ms by the clock of the processor."""

    def once() -> float:
        begin = time.perf_counter_ns()
        call()
        return (time.perf_counter_ns() - begin) / 1e6

    return median([once() for _ in range(WARM_UP + CALLS)][WARM_UP:])


if __name__ == "__main__":
    sys.exit(main())
