"""A pipeline of two small modules, as tests write it: an encoder, and a decoder that runs three times."""

from __future__ import annotations

FIXTURE = """
@pytest.fixture(scope="session")
def nav_pipeline():
    import torch

    class Pipeline:
        def __init__(self):
            self.encoder = torch.nn.Linear(5, 7).eval()
            self.parts = torch.nn.ModuleDict({"decoder": torch.nn.Sequential(torch.nn.Linear(7, 7), torch.nn.Tanh())})
            self.spare = torch.nn.Linear(7, 7).eval()
            self.parts.eval()

        @torch.no_grad()
        def __call__(self, x):
            y = self.encoder(x)
            for _ in range(3):
                y = self.parts["decoder"](y)
            return y

    return Pipeline()
"""

MODULES = """
nav_modules = ("encoder", "parts.decoder")
"""

LOADER = """
@pytest.fixture(scope="session")
def nav_dataloader():
    import torch

    return [(size, torch.randn(size, 5)) for size in (1, 3)]
"""

PIPELINE = "import pytest\n" + FIXTURE + MODULES + LOADER

SLOW = """
import time
import torch


class Slow(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(5, 5)

    def forward(self, x):
        if not torch.jit.is_tracing():
            time.sleep(0.003)
        return self.linear(x)


class Pipeline:
    def __init__(self):
        torch.manual_seed(0)
        self.slow = Slow().eval()
        self.head = torch.nn.Linear(5, 2).eval()

    @torch.no_grad()
    def __call__(self, x):
        return self.head(self.slow(self.slow(x)))
"""
"""A pipeline, of which one module is slower as it is than in any format."""

SLOW_PIPELINE = (
    """
import pytest
import parts_of_it

@pytest.fixture(scope="session")
def nav_pipeline():
    return parts_of_it.Pipeline()

nav_modules = ["slow"]
"""
    + LOADER
)
