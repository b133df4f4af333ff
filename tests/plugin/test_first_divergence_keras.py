"""Keras models that compute something else as a graph: the failure says which layer does, and on what line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from blackbox import Nav

pytest.importorskip("keras")

MODEL = """import keras
import tensorflow as tf

class Odd(keras.layers.Layer):
    def __init__(self, fault, **options):
        super().__init__(**options)
        self.fault = fault
        self.norm = keras.layers.LayerNormalization()
        self.up = keras.layers.Dense(8)

    def call(self, x):
        y = self.up(self.norm(x))
        if self.fault == "scale" and tf.inside_function():
            y = y * 1.01  # the scaled line
        if self.fault == "abs":
            y = y * 2  # before it is off
            if tf.inside_function():
                y = tf.abs(y)  # the wrong line
            y = y / 2  # behind it
        if self.fault == "cast" and not tf.executing_eagerly():
            y = tf.cast(tf.cast(y, tf.bfloat16), tf.float32)  # the cast line
        return y

class Subclassed(keras.Model):
    def __init__(self, fault):
        super().__init__()
        self.fault = fault
        self.odd = Odd(fault, name="odd")
        self.act = keras.layers.Activation("gelu")
        self.ends = [keras.layers.Dense(8), keras.layers.Dense(8)]

    def call(self, x):
        x = self.act(self.ends[0](x))
        x = self.act(self.odd(x)) + x  # before the root's
        if self.fault == "root" and tf.inside_function():
            x = x + 0.1  # the wrong root's line
        return self.ends[1](x)

class Module(tf.Module):
    def __init__(self):
        self.scale = tf.Variable(tf.ones(8))

    def __call__(self, x):
        return x * self.scale * (1.01 if tf.inside_function() else 1.0)

def functional(fault):
    x = keras.Input((8,))
    act = keras.layers.Activation("gelu")
    y = act(keras.layers.Dense(8)(x))
    y = act(Odd(fault, name="odd")(y))
    return keras.Model(x, keras.layers.Dense(4)(y + x))

def subclassed(fault):
    model = Subclassed(fault)
    model(tf.ones((1, 8)))
    return model
"""

CONFTEST = """
import numpy as np, pytest, keras, tensorflow as tf
from model import *
from pytest_navigator import NavConfig

nav_config = NavConfig(framework="tensorflow")

@pytest.fixture(scope="session")
def nav_model():
    keras.utils.set_random_seed(0)
    return {made}

@pytest.fixture(scope="session")
def nav_dataloader():
    return [np.random.default_rng(i).standard_normal((3, 8)).astype("float32") for i in range(2)]
"""


def line_of(comment: str) -> int:
    return next(i for i, line in enumerate(MODEL.splitlines(), start=1) if comment in line)


@pytest.fixture
def lines(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, nav: Nav, failed: Callable[..., dict[str, str]]
) -> Callable[..., dict[str, str]]:
    """Check a model: the cell that failed -> how it failed."""
    monkeypatch.setenv("COLUMNS", "500")

    def run(made: str, *arguments: str, formats: str = "tf-savedmodel") -> dict[str, str]:
        pytester.makepyfile(model=MODEL)
        pytester.makeconftest(CONFTEST.format(made=made))
        found = failed(nav(*arguments, formats=formats))
        return {re.sub(r".*test_correctness\[(.*)\]", r"\1", name): text for name, text in found.items()}

    return run


@pytest.mark.parametrize(
    ("made", "place"),
    [
        ("functional('scale')", "odd Mul at model.py:{the scaled line}"),
        ("subclassed('cast')", "odd Cast at model.py:{the cast line}"),
        (
            "subclassed('root')",
            "the model itself (AddV2 model.py:{before the root's}, AddV2 :{the wrong root's line})",
        ),
        (
            "subclassed('abs')",
            "odd (Mul model.py:{before it is off}, Abs :{the wrong line}, RealDiv :{behind it})",
        ),
    ],
)
def test_the_layer_that_is_another_one_as_a_graph_is_named_with_the_users_line(
    lines: Callable[..., dict[str, str]], made: str, place: str
) -> None:
    found = lines(made, "--nav-atol=output__0=1e-5", "--nav-rtol=output__0=0")["tf-savedmodel-cpu"]

    place = re.sub(r"\{(.*?)\}", lambda comment: str(line_of(comment[1])), place)
    assert f"; first divergence: {place}: " in found, found


@pytest.mark.slow
def test_an_onnx_file_that_is_made_of_a_wrong_savedmodel_names_the_layer(lines: Callable[..., dict[str, str]]) -> None:
    found = lines("functional('scale')", formats="onnx")["onnx-cpu"]

    assert f"first divergence: odd Mul at model.py:{line_of('the scaled line')}: " in found
    assert "made from what is wrong already" in found


def test_a_model_without_layers_fails_as_before(lines: Callable[..., dict[str, str]]) -> None:
    found = lines("Module()")["tf-savedmodel-cpu"]

    assert found.startswith("output__0: max abs")
    assert "divergence" not in found


def test_where_no_layer_is_wrong_none_is_blamed(lines: Callable[..., dict[str, str]]) -> None:
    found = lines("functional('')", "--nav-atol=output__0=1e-12", "--nav-rtol=output__0=0")

    assert " at model.py" not in str(found)
