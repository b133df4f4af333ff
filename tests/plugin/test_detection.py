"""Which framework a model is of: read in the file of its fixture, without an import."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from blackbox import collected

if TYPE_CHECKING:
    from blackbox import Nav

CONFTEST = """
import pytest

@pytest.fixture
def nav_model(){annotation}:
    {imports}

@pytest.fixture
def nav_dataloader():
    ...
"""


@pytest.mark.parametrize(
    ("imports", "annotation", "step"),
    [
        ("import tensorflow as tf, jax, torch", "tf.Module", "export[tf-savedmodel]"),
        ("from tensorflow import keras as k; import torch", "k.Model", "export[tf-savedmodel]"),
        ("from keras import Model; import torch, jax", "Model", "export[tf-savedmodel]"),
        ("import torch.nn as nn, jax", "nn.Module", "export[torchscript-trace]"),
        ("from flax import linen as nn; import torch", "nn.Module", "export[stablehlo]"),
        ("import keras, tensorflow", "", "export[tf-savedmodel]"),
        ("import keras", "object", "export[tf-savedmodel]"),
    ],
)
def test_the_annotation_then_the_imports_tell_the_framework(
    imports: str, annotation: str, step: str, pytester: pytest.Pytester, nav: Nav
) -> None:
    arrow = f' -> "{annotation}"' if annotation else ""
    pytester.makeconftest(CONFTEST.format(imports=imports, annotation=arrow))
    result = nav("--collect-only", "-q", formats="")
    assert f"conftest.py::nav_model::test_{step}" in collected(result)
