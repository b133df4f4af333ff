"""What formats in the place of a pipeline's modules gain end to end, and what a call of a module costs.

    python benchmarks/pipelines.py
    python benchmarks/pipelines.py calls
    python benchmarks/pipelines.py diffusion encoder --seconds=20

`calls`: a linear module of 42 parameters as it is, wrapped by `nav.Module` and not optimized (aim: at most 5 us more),
and with ONNX in its place against the bare session, both of one thread; alternating, the median of the differences.

`diffusion`: the tiny Stable Diffusion pipeline of example_projects/pipeline_diffusion. `encoder`: a BERT of 110 million
random weights, batches of 1 and 4. Each eager, by `torch.compile` of the same modules, and as `nav.optimize` has
chosen, on the same samples; what stayed eager, with its reason; the peak memory of the process, in MiB, before
`nav.optimize` and after it (its child's apart).
"""

from __future__ import annotations

import argparse
import io
import os
import resource
import sys
import tempfile
import time
import warnings
from contextlib import ExitStack, redirect_stdout
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np
import onnxruntime
import torch
from costs import table
from inference import timed

import pytest_navigator as nav
from pytest_navigator.pipelines.calls import call_of
from pytest_navigator.pipelines.loaded_graph import LoadedGraph
from pytest_navigator.pipelines.profiled import text
from pytest_navigator.pipelines.registry import registered, wrapping
from pytest_navigator.pipelines.structures import structure_of
from pytest_navigator.pipelines.swapped import swapping

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_navigator.pipelines.profiled import Way

EXAMPLE = Path(__file__).parents[1] / "example_projects" / "pipeline_diffusion"
WORDS = 64  # Tokens of a sample of the encoder


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("parts", nargs="*", default=[*PARTS], help=f"of {', '.join(PARTS)} (default: all)")
    parser.add_argument("--seconds", type=float, default=10.0, help="the most that a sample of one way takes")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NAV_PIPELINES_DIR"] = folder
        os.chdir(folder)
        for part in arguments.parts:
            print(f"\n{part}; load average {os.getloadavg()[0]:.1f}")
            PARTS[part](arguments.seconds)


def calls(seconds: float) -> None:
    """Print what a call of a wrapped module costs."""
    plain, kept, changed = (torch.nn.Linear(5, 7).eval() for _ in range(3))
    nav.Module(kept, name="kept")
    nav.Module(changed, name="changed")
    row, feed = torch.ones(1, 5), {"input": np.ones((1, 5), np.float32)}
    package = nav.torch.export(changed, [row], target_formats=("onnx",), run_profiling=False)
    with (
        torch.inference_mode(),
        package.get_runner("onnx", runtime="OnnxCPU", threads=1) as runner,
        ExitStack() as stack,
    ):
        session, module = one_thread(package.get_path("onnx")), wrapping(changed)
        graph = {structure_of(call_of(module, (row,), {})): LoadedGraph(runner)}
        stack.enter_context(swapping({module: graph}, strict=True))
        sides = {
            "the module as it is": lambda: plain(row),
            "wrapped, not optimized": lambda: kept(row),
            "the bare session": lambda: session.run(None, feed),
            "with ONNX in its place": lambda: changed(row),
        }
        found: dict[str, list[float]] = {name: [] for name in sides}
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for name, call in sides.items():
                found[name].append(timed(call))
    above = {"wrapped, not optimized": "the module as it is", "with ONNX in its place": "the bare session"}
    print(table(("call", "us", "above (us)"), [took(name, found, above.get(name)) for name in found]))


def one_thread(path: Path) -> onnxruntime.InferenceSession:
    """Return a session that waits for its next call on no processor."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def took(name: str, found: dict[str, list[float]], other: str | None) -> list[str]:
    """Return the median latency of a call, and the median of what it is above another."""
    more = [own - bare for own, bare in zip(found[name], found[other], strict=True)] if other else []
    return [name, f"{median(found[name]):.2f}", f"{median(more):+.2f}" if more else ""]


def diffusion(seconds: float) -> None:
    """Print what the tiny Stable Diffusion pipeline takes."""
    sys.path.insert(0, str(EXAMPLE))
    from pipeline import images, tiny_pipeline

    pipeline = tiny_pipeline()
    nav.wrap(pipeline, ["text_encoder", "unet", "vae.decoder"])
    loader = [(1, "a cat"), (2, ["a cat", "a dog"])]
    compared(lambda prompt: images(pipeline, prompt), loader, seconds)


def encoder(seconds: float) -> None:
    """Print what an encoder of 110 million weights takes."""
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    model = BertModel(BertConfig()).eval()
    nav.Module(model, name="encoder")

    def embedded(ids: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            return model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state[:, 0]

    loader = [(rows, torch.randint(0, 30522, (rows, WORDS))) for rows in (1, 4)]
    compared(embedded, loader, seconds)


def compared(func: Callable[..., Any], loader: Sequence[tuple[int, Any]], seconds: float) -> None:
    """Print the figures of a pipeline as it is, compiled, and optimized."""
    before = peak()
    nav.optimize(func, loader)
    print(
        f"peak memory: {before:.0f} MiB before nav.optimize, {peak():.0f} after, {peak(children=True):.0f} of a child"
    )
    with redirect_stdout(io.StringIO()):
        found = nav.profile(func, loader, seconds=seconds, report=None)
        ways = [*found.ways, compiled(func, loader, seconds)]
    print("\n".join(text(ways)))


def compiled(func: Callable[..., Any], loader: Sequence[tuple[int, Any]], seconds: float) -> Way:
    """Return the figures of a pipeline whose modules torch.compile computes, from now on."""
    for each in registered():
        each.module.compile()
    nav.unload()
    with tempfile.TemporaryDirectory() as nothing, patch.dict(os.environ, {"NAV_PIPELINES_DIR": nothing}):
        (way,) = nav.profile(func, loader, seconds=seconds, report=None).ways
    return replace(way, name="torch.compile")


def peak(*, children: bool = False) -> float:
    """Return the high-water mark of the process, or of its largest child that has ended, in MiB."""
    who = resource.RUSAGE_CHILDREN if children else resource.RUSAGE_SELF
    return resource.getrusage(who).ru_maxrss / 1024


PARTS = {"calls": calls, "diffusion": diffusion, "encoder": encoder}

if __name__ == "__main__":
    main()
