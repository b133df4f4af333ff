"""A workspace as the steps leave it, built from records: the mission's linear model in five formats."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pytest_navigator.comparison.tolerances import unchecked
from pytest_navigator.core.plain import plain, save
from pytest_navigator.core.records import Outcome, ProfileResult, Signature, SuiteRecord, TensorSpec
from pytest_navigator.core.steps import Status
from pytest_navigator.core.variants import RunnerRecord, Variant
from pytest_navigator.package.query.results import Results

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

INPUT = {"args": [{"leaf": "input__0"}], "kwargs": []}
SIGNATURE = Signature(
    inputs=(TensorSpec("input__0", (-1, 5), "float32", {0: "batch"}, True),),
    outputs=(TensorSpec("output__0", (-1, 7), "float32", {0: "batch"}, True),),
    input_tree=INPUT,
    output_tree={"leaf": "output__0"},
    batch_dim=0,
    array_type="torch",
)
VARIANTS = (
    Variant("torch", "torch", None, "", {"autocast": False}, ("TorchCPU",)),
    Variant("torchscript-script", "torchscript", None, "model.pt", {"jit_type": "script"}, ("TorchScriptCPU",)),
    Variant("torchscript-trace", "torchscript", None, "model.pt", {"jit_type": "trace"}, ("TorchScriptCPU",)),
    Variant("onnx", "onnx", None, "model.onnx", {"opset": 18, "device": None}, ("OnnxCPU", "OnnxCUDA")),
    Variant("trt-fp16", "trt", "onnx", "model.plan", {"precision": "fp16"}, ("TensorRT",)),
)
RUNNERS = {
    name: RunnerRecord(name, runtime, form, device, live, f"pytest_navigator.runners:{name}")
    for name, runtime, form, device, live in (
        ("TorchCPU", "cpu", "torch", "cpu", True),
        ("TorchScriptCPU", "cpu", "torchscript", "cpu", False),
        ("OnnxCPU", "cpu", "onnx", "cpu", False),
        ("OnnxCUDA", "cuda", "onnx", "cuda", False),
        ("TensorRT", "tensorrt", "trt", "cuda", False),
    )
}
ONNX_BYTES = b"an onnx model" * 100
DIGEST = hashlib.sha256(ONNX_BYTES).hexdigest()
CASE = {
    "sample": 0,
    "kind": "batch",
    "input": "model_input/batches/0.npz",
    "output": "model_output/batches/0.npz",
    "batch_size": 3,
}
"""A comparison, as plain data: what is in a step's data."""

SOURCE = Outcome(
    "source",
    Status.PASSED,
    started="2026-02-22T15:34:28+00:00",
    duration=0.5,
    data={
        "fingerprint": "f" * 64,
        "samples": {"read": 10, "left_out": 0, "kept": 10, "bytes": 600},
        "max_batch_size": 3,
        "profile": {"input__0": {"min": [1, 5], "opt": [3, 5], "max": [3, 5]}},
        "selection": {"correctness": [0, 1], "conversion": [0], "profiling": 0},
        "model": "torch.nn.modules.linear.Linear",
        "bitwise": True,
    },
)


def correctness(key: str, runner: str, atol: float = 1e-6, status: Status = Status.PASSED, **more: object) -> Outcome:
    data = {"outputs": [{"name": "output__0", "atol": atol, "rtol": float("inf")}], "cases": 4}
    return Outcome("correctness", status, key, runner, started="2026-02-22T15:34:32", duration=1.0, data=data, **more)


def left_to_verify(key: str, runner: str) -> Outcome:
    """Return a correctness step that `verify_` tests vouch for: the default did not pass the output."""
    found = correctness(key, runner)
    rule = replace(unchecked("judged by verify_a: SNR 8 dB < 15 dB"), vouching=True)
    return replace(found, data={**found.data, "rules": {"output__0": plain(rule)}})


def profile(key: str, runner: str, batch: str, p50: float, throughput: float) -> Outcome:
    size = {"batch1": 1, "batchmax": 3}[batch]
    figures = ProfileResult(
        size, p50, 0.1, p50, p50, p50, p50, throughput, 25, latencies=(p50,) * 1000, others={"game": 0.5}
    )
    data = {"result": plain(figures)}
    return Outcome("profile", Status.PASSED, key, runner, batch, started="2026-02-22T15:34:33", duration=2.0, data=data)


def verify(key: str, runner: str, digest: str = DIGEST, status: Status = Status.PASSED, name: str = "a") -> Outcome:
    nodeid = f"test_quality.py::verify_{name}[{key}]"
    return Outcome("verify", status, key, runner, digest=digest, started="2026-02-22T15:34:35", data={"nodeid": nodeid})


def outcomes() -> list[Outcome]:
    """A run: script fails unasked, onnx fails correctness on CPU, there is no GPU."""
    made = "2026-02-22T15:34:28.500000"
    return [
        SOURCE,
        Outcome("export", Status.XFAILED, "torchscript-script", message="no script", error="NotSupportedError"),
        Outcome("export", Status.PASSED, "torchscript-trace", started=made, digest="e" * 64),
        Outcome("export", Status.PASSED, "onnx", started=made, duration=3.0, digest=DIGEST, data={"opset": 18}),
        Outcome("convert", Status.SKIPPED, "trt-fp16", message="no CUDA device", requirement="no CUDA device"),
        correctness("torch", "TorchCPU", 0.0),
        correctness("torchscript-trace", "TorchScriptCPU"),
        correctness("onnx", "OnnxCPU", 0.2, Status.FAILED, message="output__0: max abs 0.2", error="StepFailed"),
        Outcome("correctness", Status.SKIPPED, "onnx", "OnnxCUDA", message="no CUDA device"),
        profile("torch", "TorchCPU", "batch1", 1.0, 1000.0),
        profile("torchscript-trace", "TorchScriptCPU", "batch1", 2.0, 500.0),
        profile("torchscript-trace", "TorchScriptCPU", "batchmax", 3.0, 900.0),
        Outcome("profile", Status.SKIPPED, "onnx", "OnnxCPU", "batch1", message="correctness did not pass"),
    ]


def suite(steps: Sequence[Outcome], **changes: object) -> SuiteRecord:
    settings = {
        "sample_count": {"value": 100, "origin": "default"},
        "seed": {"value": 0, "origin": "default"},
        "atol": {"value": None, "origin": "default"},
    }
    ids = tuple(outcome.id for outcome in steps if outcome.step != "verify")
    record = SuiteRecord("linear", "conftest.py::nav_model", "torch", "out.nav", VARIANTS, RUNNERS, ids, settings)
    return replace(record, **changes)


def results(steps: Sequence[Outcome] | None = None, **changes: object) -> Results:
    steps = outcomes() if steps is None else steps
    return Results(suite(steps, **changes), tuple(steps), SIGNATURE)


@pytest.fixture
def workspace(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes the suite's folder; it takes outcomes and changes of the suite's record."""

    def build(steps: Sequence[Outcome] | None = None, **changes: object) -> Path:
        steps = outcomes() if steps is None else steps
        folder = tmp_path / "navigator_workspace" / "linear-0a1b2c"
        save(folder / "suite.json", suite(steps, **changes))
        save(folder / "signature.json", SIGNATURE)
        for number, outcome in enumerate(steps):
            save(folder / ".steps" / f"{outcome.id}.{number}.json", outcome)
        _write_files(folder)
        return folder

    return build


def _write_files(folder: Path) -> None:
    for side, width in (("model_input", 5), ("model_output", 7)):
        for kind in ("batches", "correctness", "conversion", "profiling"):
            (folder / side / kind).mkdir(parents=True)
            array = np.arange(3 * width, dtype=np.float32).reshape(3, width)
            np.savez(folder / side / kind / "0.npz", **{f"{side.removeprefix('model_')}__0": array})
    for key, name in (("torchscript-trace", "model.pt"), ("onnx", "model.onnx")):
        (folder / key).mkdir()
        (folder / key / name).write_bytes(ONNX_BYTES)
        (folder / key / "format.log").write_text("exporting\n")
        (folder / key / "reproduce_export.py").write_text("import torch\n")
        (folder / key / "reproduce_export.sh").write_text("python onnx/reproduce_export.py\n")
    (folder / "torchscript-script").mkdir()
    (folder / "torchscript-script" / "format.log").write_text("NotSupportedError\n")
