"""The models that both sides of a benchmark use: those of the example projects, from a fixed seed, not trained."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

EXAMPLES = Path(__file__).parents[1] / "example_projects"
sys.path += [str(EXAMPLES / "torch_cnn"), str(EXAMPLES / "torch_transformer")]

Batch = torch.Tensor | dict[str, torch.Tensor]
Model = tuple[torch.nn.Module, list[Batch]]


def linear() -> Model:
    """Return 42 parameters and ten small batches."""
    return torch.nn.Linear(5, 7).eval(), [torch.randn(3, 5) for _ in range(10)]


def cnn() -> Model:
    """Return 11 million parameters and images of 64 x 64."""
    from resnet import ResNet18

    return ResNet18().eval(), [torch.rand(size, 3, 64, 64) for size in (1, 4, 8)]


def transformer() -> Model:
    """Return two layers and token ids with a mask, whose length changes."""
    from task import batch
    from transformer import Transformer

    sizes = ((1, 8), (4, 16), (8, 12), (16, 24))
    return Transformer().eval(), [batch(size, longest)[0] for size, longest in sizes]


MODELS: dict[str, Callable[[], Model]] = {"linear": linear, "cnn": cnn, "transformer": transformer}


def build(name: str) -> Model:
    """Return a model and its batches; each call gives the same ones."""
    torch.manual_seed(0)
    return MODELS[name]()


CONFTEST = """
import sys

import pytest
import torch

sys.path.insert(0, {benchmarks!r})

from models import build
from pytest_navigator.config import NavConfig
from pytest_navigator.profiling import OptimizationProfile

nav_config = NavConfig(name={name!r}, optimization_profile=OptimizationProfile(min_trials=3, max_trials=3))


@pytest.fixture(scope="session")
def nav_model() -> torch.nn.Module:
    return build({name!r})[0]


@pytest.fixture(scope="session")
def nav_dataloader():
    return build({name!r})[1]
"""


def write_project(folder: Path, name: str) -> None:
    """Write a folder whose suite checks a model; it times exactly 75 inferences an item."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "conftest.py").write_text(CONFTEST.format(benchmarks=str(Path(__file__).parent), name=name))
