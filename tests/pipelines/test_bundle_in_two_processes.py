"""A pipeline is optimized in one process, and runs with its formats in another one that knows the bundle alone."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

PIPELINE = """
import time, torch
import pytest_navigator as nav

class Encoder(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(4, 8)

    def forward(self, x, scale=1.0):
        time.sleep(0.004)
        return {"hidden": torch.relu(self.linear(x)) * scale}

torch.manual_seed(0)
encoder = nav.Module(Encoder().eval(), "encoder")

def pipeline(x):
    with torch.no_grad():
        return encoder(x)["hidden"]
"""
OPTIMIZE = """
import torch
import pytest_navigator as nav
from pipe import pipeline

profile = nav.OptimizationProfile(window_size=3, min_trials=1, max_trials=1, stabilization_windows=1)
config = nav.OptimizeConfig(target_formats=("onnx",), runners=("OnnxCPU",), optimization_profile=profile)
nav.optimize(pipeline, [(2, torch.ones(2, 4)), (3, torch.zeros(3, 4))], config)
nav.bundle.save("out.nav", tags=["test"])
torch.save(pipeline(torch.ones(2, 4)), "expected.pt")
"""
SERVE = """
import torch
import pytest_navigator as nav
from pipe import encoder, pipeline

nav.bundle.load("out.nav", tags=["test"])
loaded = nav.load_optimized()
assert torch.allclose(pipeline(torch.ones(2, 4)), torch.load("expected.pt"), atol=1e-5)
print("runs", *(each.runner for each in loaded.graphs))
nav.unload()
with torch.no_grad():
    encoder.linear.weight += 1
try:
    nav.load_optimized()
except nav.errors.ConfigError as error:
    print("retrained:", error)
"""


@pytest.mark.slow
def test_another_process_runs_what_was_saved_and_not_once_it_was_retrained(tmp_path: Path) -> None:
    (tmp_path / "pipe.py").write_text(PIPELINE)

    def run(script: str, store: str) -> str:
        environment = {**os.environ, "NAV_PIPELINES_DIR": str(tmp_path / store)}
        command = [sys.executable, "-c", script]
        ran = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    run(OPTIMIZE, "made")
    said = run(SERVE, "other")
    assert "runs OnnxCPU" in said
    assert "retrained: nothing is stored in" in said
