"""A project whose package the tests of the Python API share."""

from __future__ import annotations

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
