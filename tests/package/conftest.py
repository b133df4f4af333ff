from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from recorded import workspace

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["workspace"]

PROJECT = """
import pytest, torch
from pytest_navigator import NavConfig

class Pair(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.linear = torch.nn.Linear(5, 7)

    def forward(self, x, bias):
        return {"sum": self.linear(x) + bias, "parts": (x, bias)}

nav_config = NavConfig(name="pair")

@pytest.fixture(scope="session")
def nav_model() -> torch.nn.Module:
    return Pair().eval()

@pytest.fixture(scope="session")
def nav_dataloader():
    torch.manual_seed(1)
    return [{"x": torch.randn(3, 5), "bias": torch.randn(3, 7)} for _ in range(3)]
"""
"""A model with names and a structure, whose script fails at nothing."""

RUN = "-q -p no:cacheprovider --nav-package=pair.nav --nav-runtimes=cpu --nav-profile-seconds=0.05"


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package of a run of the real thing: torch, TorchScript in both kinds, ONNX."""
    folder = tmp_path_factory.mktemp("pair")
    (folder / "conftest.py").write_text(PROJECT)
    command = [sys.executable, "-m", "pytest", *RUN.split(), "--nav-formats=torchscript,onnx"]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout
    return folder / "pair.nav"
