"""The models that both sides of a benchmark use: those of the example projects, from a fixed seed, not trained."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

EXAMPLES = Path(__file__).parents[1] / "example_projects"
FOLDERS = ("torch_cnn", "torch_transformer", "tensorflow_keras", "jax_flax")
sys.path += [str(EXAMPLES / folder) for folder in FOLDERS]

Batch: TypeAlias = "torch.Tensor | dict[str, torch.Tensor]"
Model = tuple[Any, list[Any]]


def linear() -> Model:
    """Return 42 parameters and ten small batches."""
    import torch

    return torch.nn.Linear(5, 7).eval(), [torch.randn(3, 5) for _ in range(10)]


def cnn() -> Model:
    """Return 11 million parameters and images of 64 x 64."""
    import torch
    from resnet import ResNet18

    return ResNet18().eval(), [torch.rand(size, 3, 64, 64) for size in (1, 4, 8)]


def transformer() -> Model:
    """Return two layers and token ids with a mask, whose length changes."""
    from task import batch
    from transformer import Transformer

    sizes = ((1, 8), (4, 16), (8, 12), (16, 24))
    return Transformer().eval(), [batch(size, longest)[0] for size, longest in sizes]


def keras() -> Model:
    """Return a Keras model of photos and facts, and batches of both."""
    from houses import batch, model

    return model(), [batch(size, pixels) for size, pixels in ((1, 32), (4, 48), (8, 64))]


def jax() -> Model:
    """Return a module of flax with its variables, and token ids with a mask, whose length changes."""
    import numpy as np
    from classifier import build

    sizes = ((1, 8), (4, 32), (8, 16))
    ids = [np.random.randint(0, 1000, shape, dtype=np.int32) for shape in sizes]
    return build(), [{"input_ids": i, "attention_mask": np.ones(i.shape, np.float32)} for i in ids]


MODELS: dict[str, Callable[[], Model]] = {
    "linear": linear,
    "cnn": cnn,
    "transformer": transformer,
    "keras": keras,
    "jax": jax,
}
FRAMEWORKS = {"keras": "tensorflow", "jax": "jax"}
"""Of the models that are not PyTorch's."""

SCRIPTS = {"keras": "handwritten_keras.py", "jax": "handwritten_jax.py"}
"""Their hand-written sides."""


def build(name: str) -> Model:
    """Return a model and its batches; each call gives the same ones."""
    import numpy as np

    np.random.seed(0)
    if FRAMEWORKS.get(name) == "tensorflow":
        import tensorflow as tf

        tf.keras.utils.set_random_seed(0)
    elif name not in FRAMEWORKS:
        import torch

        torch.manual_seed(0)
    return MODELS[name]()


CONFTEST = """
import sys

import pytest

sys.path.insert(0, {benchmarks!r})

from models import build
from pytest_navigator.configuration.config import NavConfig
from pytest_navigator.configuration.profile_config import OptimizationProfile

nav_config = NavConfig(
    name={name!r},
    framework={framework!r},
    optimization_profile=OptimizationProfile(min_trials=3, max_trials=3),
)


@pytest.fixture(scope="session")
def nav_model():
    return build({name!r})[0]


@pytest.fixture(scope="session")
def nav_dataloader():
    return build({name!r})[1]
"""


def write_project(folder: Path, name: str) -> None:
    """Write a folder whose suite checks a model; it times exactly 75 inferences an item."""
    folder.mkdir(parents=True, exist_ok=True)
    values = {"benchmarks": str(Path(__file__).parent), "name": name, "framework": FRAMEWORKS.get(name, "torch")}
    (folder / "conftest.py").write_text(CONFTEST.format(**values), encoding="utf-8")
