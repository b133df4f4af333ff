"""What a timed inference costs above the bare call of the runtime.

    python benchmarks/inference.py

A linear model of 42 parameters, whose call takes microseconds, in every runner of this machine: the latency that
`profiling.measure` tells of what the runner's `bind` returned, against the same upstream call in a loop written by hand
around it. Both sides alternate; medians of their median latencies. Aim: at most 2 us above.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime
import torch
from costs import table

from pytest_navigator.backends.exchange.onnx import OnnxFormat
from pytest_navigator.backends.torch.exportedprogram import TorchExportedProgramFormat
from pytest_navigator.backends.torch.live import TorchFormat
from pytest_navigator.backends.torch.source import TorchFramework
from pytest_navigator.backends.torch.torchscript import TorchScriptConfig, TorchScriptFormat
from pytest_navigator.configuration.profile_config import Windows
from pytest_navigator.core.records import Signature, TensorSpec
from pytest_navigator.profiling.measuring import measure

if TYPE_CHECKING:
    from pytest_navigator.runners.base import Runner

CALLS = 200
WINDOWS = Windows(size=CALLS, stabilization_windows=1, min_trials=1, max_trials=1)
AXES = {0: "batch"}
SIGNATURE = Signature(
    inputs=(TensorSpec("input", (-1, 5), "float32", AXES, batched=True),),
    outputs=(TensorSpec("output__0", (-1, 7), "float32", AXES, batched=True),),
    input_tree={"args": [{"leaf": "input"}], "kwargs": []},
    output_tree={"leaf": "output__0"},
    batch_dim=0,
    array_type="torch",
)
Bare = Callable[[], object]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repetitions", type=int, default=50)
    repetitions = parser.parse_args().repetitions
    rows = []
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        for runner, bare in pairs(Path(folder)):
            with runner:
                rows.append(row(runner.name, runner.bind(FEED), bare, repetitions))
    print(f"Median latencies of {repetitions} alternating rounds of {CALLS} calls.\n")
    print(table(("runner", "bare call (us)", "measured (us)", "above (us)"), rows))


MODEL = torch.nn.Linear(5, 7).eval()
FEED = {"input": np.zeros((3, 5), np.float32)}


def pairs(folder: Path) -> Iterator[tuple[Runner, Bare]]:
    """Yield every runner with the upstream call that a user would time."""
    tensor = torch.from_numpy(FEED["input"])
    source = TorchFramework().source(MODEL, {})
    for form in (TorchFormat(), TorchScriptFormat(), TorchExportedProgramFormat(), OnnxFormat()):
        config = TorchScriptConfig(jit_type="trace") if form.name == "torchscript" else form.config()
        (variant,) = form.variants(config, [])
        path = folder / variant.file
        if variant.file:
            form.export(source, FEED, SIGNATURE, variant, path)
        for runner in form.runner_specs:
            if runner.device == "cpu":
                kind, artifact = runner.load(), source if runner.live else path
                yield kind(artifact, SIGNATURE, variant.parameters), bare_call(kind.name, path, tensor)


def bare_call(runner: str, path: Path, tensor: torch.Tensor) -> Bare:
    """Return the runtime's own call."""
    if runner == "OnnxCPU":
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        feed = {"input": tensor.numpy()}
        return lambda: session.run(None, feed)
    loaded = {
        "TorchCPU": lambda: MODEL,
        "TorchCompileCPU": lambda: torch.compile(MODEL),
        "TorchScriptCPU": lambda: torch.jit.load(path),
        "TorchExportedProgramCPU": lambda: torch.export.load(path).module(),
    }[runner]()
    return lambda: loaded(tensor)


def row(name: str, bound: Bare, bare: Bare, repetitions: int) -> list[str]:
    """Return the medians of both sides and their difference."""
    by_hand, measured = [], []
    for _ in range(repetitions):
        by_hand.append(timed(bare))
        measured.append(measure(bound, WINDOWS, batch_size=3).p50_latency * 1000)
    difference = median(measured) - median(by_hand)
    return [name, f"{median(by_hand):.2f}", f"{median(measured):.2f}", f"{difference:+.2f}"]


def timed(call: Bare) -> float:
    """Return the median latency in us."""
    latencies = []
    for _ in range(CALLS):
        begin = time.perf_counter_ns()
        call()
        latencies.append(time.perf_counter_ns() - begin)
    return median(latencies) / 1000


if __name__ == "__main__":
    main()
