"""A model of TensorFlow or Keras is put back: what a trace leaves in a cache must not meet the next call."""

from __future__ import annotations

from typing import Any

import pytest

tf = pytest.importorskip("tensorflow")

import keras  # noqa: E402

from pytest_navigator.backends.tensorflow.source import TensorFlowFramework  # noqa: E402


class Caching(keras.layers.Layer):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.kept: Any = None
        self.by_size: dict[str, Any] = {}
        self.sizes: list[Any] = []

    def build(self, shape: Any) -> None:
        self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False, name="calls")

    def call(self, x: Any) -> Any:
        self.calls.assign_add(1.0)
        if self.kept is None:
            self.kept = x[0] * 0
        if "last" not in self.by_size:
            self.by_size["last"] = x[0] * 0
        self.sizes.append(x.shape)
        return x + self.kept + self.by_size["last"]


class Module(tf.Module):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.kept: Any = None
        self.by_size: dict[str, Any] = {}
        self.count = tf.Variable(0.0)

    def __call__(self, x: Any) -> Any:
        self.count.assign_add(1.0)
        if self.kept is None:
            self.kept = x[0] * 0
        if "last" not in self.by_size:
            self.by_size["last"] = x[0] * 0
        return x + self.kept + self.by_size["last"]


def functional() -> Any:
    inputs = keras.Input((5,))
    model = keras.Model(inputs, Caching()(inputs))
    layer = model.layers[1]
    layer.kept = None
    layer.by_size.clear()
    return model


def sequential() -> Any:
    model = keras.Sequential([Caching()])
    layer = model.layers[0]
    model.build((None, 5))
    layer.kept = None
    layer.by_size.clear()
    return model


@pytest.mark.parametrize("make", [functional, sequential, Module])
def test_a_symbolic_tensor_in_a_cache_meets_nobody(make: Any, tmp_path: Any) -> None:
    model = make()
    source: Any = TensorFlowFramework().source(model, {})
    x = tf.ones((3, 5))
    for _ in range(2):
        with source.preserved():
            tf.function(source.function).get_concrete_function(tf.TensorSpec((None, 5)))
        assert source.call((x,), {}).shape == (3, 5)
        with source.preserved():
            source.call((x,), {})


def test_a_count_is_as_it_was() -> None:
    model = Module()
    source: Any = TensorFlowFramework().source(model, {})
    with source.preserved():
        source.call((tf.ones((3, 5)),), {})
    assert (model.count.numpy(), model.kept, dict(model.by_size)) == (0, None, {})


def test_a_module_that_was_put_back_can_be_saved(tmp_path: Any) -> None:
    model = Module()
    model.table = {"rows": tf.Variable(1.0)}
    source: Any = TensorFlowFramework().source(model, {})
    with source.preserved():
        model.table["columns"] = tf.Variable(2.0)
    tf.saved_model.save(model, str(tmp_path / "saved"))
    assert (tmp_path / "saved" / "saved_model.pb").exists()
