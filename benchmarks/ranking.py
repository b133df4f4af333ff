"""Whether a busy machine crowns the wrong runner: by the medians (before), and by the quietest calls (now).

    python benchmarks/ranking.py                    # 10 rankings beside each of four loads: about ten minutes
    python benchmarks/ranking.py --runs=2 --loads loops2

A convolutional network in ONNX Runtime and in TorchScript, and one that computes a quarter more in each, are measured
in a fresh process, as profile items are. The truth is the median of the idle machine: run it on one. A choice is
right if the true latency of what was chosen is within 10 % of the best one's, else it is marked or wrong.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from pytest_navigator.configuration.profile_config import OptimizationProfile
from pytest_navigator.core.plain import plain, structured
from pytest_navigator.core.records import ProfileResult
from pytest_navigator.gates.ranking import CLOSE, rivals
from pytest_navigator.profiling.measuring import measure
from pytest_navigator.profiling.quiet import is_disturbed, span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Measured = dict[str, ProfileResult]

LAYERS = {"small": 8, "large": 10}
SECONDS = 3.0  # A profile item has 10
LOADS = ("idle", "loops2", "loops4", "spinning")
"""Nothing; two and four busy loops; a session of ONNX Runtime in another process, whose threads spin."""


def main() -> None:
    """Measure, judge and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--loads", nargs="*", choices=LOADS, default=list(LOADS))
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps({name: plain(result) for name, result in measured(arguments.child).items()}))
        return
    with tempfile.TemporaryDirectory() as folder:
        report(Path(folder), arguments.runs, arguments.loads)


def report(folder: Path, runs: int, loads: list[str]) -> None:
    """Print a line for each load."""
    truth = true_latencies(folder)
    print("truth, ms:", ", ".join(f"{name} {ms:.3f}" for name, ms in truth.items()), flush=True)
    for load in loads:
        with beside(load, folder):
            found = [in_a_process(folder) for _ in range(runs)]
        for what, judge in (("before", by_medians), ("now", by_quiet_calls)):
            pairs = Counter(judge(pair, truth) for each in found for pair in pairs_of(each))
            print(f"{load:9}{what:7}", ", ".join(f"{pairs[word]} {word}" for word in ("right", "marked", "wrong")))
        shown = [off(ms, truth[name]) for each in found for name, ms in medians(each).items()]
        quiet = [off(span(result).value, truth[name]) for each in found for name, result in each.items()]
        told = (f"{what} {median(each):.2f} ({max(each):.2f})" for what, each in (("median", shown), ("quiet", quiet)))
        print(f"{load:9}times the truth, half of them at most (all):", ", ".join(told), flush=True)


def true_latencies(folder: Path) -> dict[str, float]:
    """Return the lowest undisturbed median of each runner, in ms; ends the program where the machine is not idle."""
    idle = [in_a_process(folder) for _ in range(3)]
    found = {name: [each[name] for each in idle if not is_disturbed(each[name])] for name in idle[0]}
    if missing := [name for name, results in found.items() if not results]:
        sys.exit(f"the machine is not idle: no undisturbed figure of {', '.join(missing)} in three runs")
    return {name: min(result.p50_latency for result in results) for name, results in found.items()}


def off(ms: float, true: float) -> float:
    """Return how many times as large as the true latency one is, or as small."""
    return max(ms / true, true / ms)


def medians(found: Measured) -> dict[str, float]:
    """Return the median latency of each runner, ms."""
    return {name: result.p50_latency for name, result in found.items()}


def pairs_of(found: Measured) -> list[Measured]:
    """Return each two of the runners: every pair is a ranking of its own."""
    names = list(found)
    return [{a: found[a], b: found[b]} for i, a in enumerate(names) for b in names[i + 1 :]]


def by_medians(found: Measured, truth: dict[str, float]) -> str:
    """Return whether the lowest median is right, as it was chosen before."""
    return "right" if is_right(min(found, key=lambda name: found[name].p50_latency), found, truth) else "wrong"


def by_quiet_calls(found: Measured, truth: dict[str, float]) -> str:
    """Return whether what is chosen now is right, marked or wrong; what is right and marked counts as marked."""
    chosen = min(found, key=lambda name: span(found[name]).value)
    if rivals(span(found[chosen]), [span(result) for name, result in found.items() if name != chosen]):
        return "marked"
    return "right" if is_right(chosen, found, truth) else "wrong"


def is_right(chosen: str, found: Measured, truth: dict[str, float]) -> bool:
    """Whether nothing is truly faster by more than what runs of one runner differ by."""
    return (1 - CLOSE) * truth[chosen] <= min(truth[name] for name in found)


def in_a_process(folder: Path) -> Measured:
    """Return what a fresh process measures."""
    command = [sys.executable, __file__, f"--child={folder}"]
    text = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout
    found: dict[str, Any] = json.loads(text.splitlines()[-1])
    return {name: structured(each, ProfileResult) for name, each in found.items()}


def measured(folder: Path) -> Measured:
    """Measure every runner, one after another in this process, as profile items do."""
    import torch

    windows, found = OptimizationProfile().windows(), {}
    with torch.inference_mode():
        for name, call in calls(folder).items():
            found[name] = measure(call, windows, batch_size=1, seconds=SECONDS)
    return found


def calls(folder: Path) -> dict[str, Callable[[], object]]:
    """Return the call of each runner."""
    import onnxruntime
    import torch

    sample, found = torch.rand(1, 3, 24, 24), dict[str, "Callable[[], object]"]()
    for size, layers in LAYERS.items():
        network, file = net(layers), folder / f"{size}.onnx"
        if not file.exists():
            torch.onnx.export(network, (sample,), str(file), dynamo=False)
        session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
        feed = {session.get_inputs()[0].name: sample.numpy()}
        found[f"onnx {size}"] = partial(session.run, None, feed)
        found[f"torchscript {size}"] = partial(torch.jit.trace(network, sample), sample)
    return found


def net(layers: int) -> Any:
    """Return a network of convolutions."""
    from torch import nn

    inner = [part for _ in range(layers) for part in (nn.Conv2d(16, 16, 3, padding=1), nn.ReLU())]
    return nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), *inner).eval()


@contextmanager
def beside(load: str, folder: Path) -> Iterator[None]:
    """Run a load beside what is measured."""
    count = int(load.removeprefix("loops")) if load.startswith("loops") else int(load == "spinning")
    target, given = (spin, (folder,)) if load == "spinning" else (loop, ())
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=target, args=given, daemon=True) for _ in range(count)]
    for each in processes:
        each.start()
    try:
        yield
    finally:
        for each in processes:
            each.terminate()
            each.join()


def loop() -> None:
    """Do nothing, all the time."""
    while True:
        pass


def spin(folder: Path) -> None:
    """Run a session whose threads spin between calls."""
    run = calls(folder)["onnx large"]
    while True:
        run()


if __name__ == "__main__":
    main()
