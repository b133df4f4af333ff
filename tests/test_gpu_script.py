"""`benchmarks/gpu.py`: what it does without a GPU, and the whole of it on the processor."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "gpu.py"
CELLS = [("torchscript-trace", "TorchScriptCPU"), ("onnx", "OnnxCPU")]


def ran(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, SCRIPT, *arguments], capture_output=True, text=True, timeout=600)


def table(output: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in output.splitlines() if line[:1] == "|"]


def test_without_a_gpu_it_says_why_and_measures_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")

    done = ran()

    assert (done.returncode, done.stdout) == (2, "nothing was measured: no CUDA device\n"), done.stderr


@pytest.mark.slow
def test_on_the_processor_it_prints_a_row_for_each_runner_and_batch() -> None:
    formats = ",".join(key for key, _ in CELLS)

    done = ran("--cpu", "--examples=torch_linear", f"--formats={formats}", "--seconds=0.1")

    assert done.returncode == 0, done.stdout + done.stderr
    rows = [row for row in table(done.stdout) if (row[0], row[1]) in CELLS]
    assert [tuple(row[:4]) for row in rows] == [
        (*cell, batch, "ok") for cell in CELLS for batch in ("batch1", "batchmax")
    ]
    assert all(float(row[5]) > 0 and float(row[6]) > 0 and row[8] == "not measured" for row in rows)


@pytest.mark.gpu("torch-cuda")
def test_on_a_gpu_every_cuda_runner_gives_the_sources_numbers_and_a_figure() -> None:
    done = ran("--seconds=1")

    assert done.returncode == 0, done.stdout + done.stderr
    rows = [row for row in table(done.stdout) if row[1].endswith("CUDA")]
    assert {row[1] for row in rows} >= {"TorchCUDA", "TorchCompileCUDA", "TorchScriptCUDA", "TorchExportedProgramCUDA"}
    assert all(row[3] == "ok" and float(row[5]) > 0 for row in rows if row[1] != "OnnxCUDA" or row[5] != "not measured")
