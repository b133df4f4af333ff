"""Small TensorFlow models, one for each way in which a real one differs from another, and their signatures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import keras
import numpy as np
import subjects
import tensorflow as tf

from pytest_navigator.backends.tensorflow.source import TensorFlowFramework

if TYPE_CHECKING:
    from pytest_navigator.frameworks.base import Framework


class Subject(subjects.Subject):
    framework: ClassVar[Framework] = TensorFlowFramework()


def floats(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype("float32")


def sequential() -> Subject:
    """The exact GELU, which ONNX has no operator for, and what only training does."""
    layers = [keras.Input((4,), name="features"), keras.layers.Dense(8, "gelu"), keras.layers.Dropout(0.9)]
    return Subject(keras.Sequential([*layers, keras.layers.Dense(3)]), lambda n: floats(n, 4))


def several_inputs() -> keras.Model:
    words, mask = keras.Input((None, 3), name="words"), keras.Input((None,), name="mask-1")
    summed = keras.layers.Dot(1)([mask, keras.layers.Dense(4)(words)])
    return keras.Model([words, mask], {"last": keras.layers.Dense(2)(summed), "first": summed})


def functional() -> Subject:
    """Two inputs in a list, a second dynamic axis, outputs whose keys are not in alphabetical order."""
    axes = {"words": {0: "batch", 1: "length"}, "mask-1": {0: "batch", 1: "length"}}
    return Subject(several_inputs(), lambda n: [floats(n, n + 2, 3), floats(n, n + 2)], axes)


class Subclassed(keras.Model):
    """Takes a dict, returns a nested structure."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = keras.layers.Dense(3)
        self.dropout = keras.layers.Dropout(0.9)

    def call(self, batch: dict[str, Any], training: bool = False) -> Any:
        hidden = self.dropout(self.dense(batch["x"]), training=training)
        return [hidden * batch["scale"], {"count": tf.cast(tf.round(hidden), tf.int32)}]


def subclassed() -> Subject:
    model = Subclassed()
    model({"x": floats(2, 4), "scale": floats(2, 1)})
    return Subject(model, lambda n: {"x": floats(n, 4), "scale": floats(n, 1)})


class Affine(tf.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = tf.Variable(floats(4, 3))

    @tf.function(input_signature=[tf.TensorSpec((None, 4), tf.float32, name="x")])
    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        if tf.reduce_sum(x) > 0:
            return x @ self.weight
        return -x @ self.weight


def module() -> Subject:
    return Subject(Affine(), lambda n: floats(n, 4))


class Serving(tf.Module):
    """The only tf.function has another name, and the weights are those of a Keras layer."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = {"dense": keras.layers.Dense(3)}
        self.layers["dense"].build((None, 4))

    @tf.function
    def serve(self, x: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return self.layers["dense"](x) + y, y


def serving() -> Subject:
    return Subject(Serving(), lambda n: (floats(n, 4), floats(n, 3)))


def function() -> Subject:
    """A tf.function that owns a variable, which nothing else tracks."""
    weight = tf.Variable(floats(4, 3))
    return Subject(tf.function(lambda x: {"y": x @ weight}), lambda n: floats(n, 4))


def texts() -> Subject:
    """Text in, numbers and text out, by a table that must be saved with the model."""
    lookup = keras.layers.StringLookup(vocabulary=["a", "b"])
    word = keras.Input((), name="word", dtype="string")
    model = keras.Model(word, {"id": lookup(word), "same": word})
    return Subject(model, lambda n: np.array(["a", "c", "bé"])[np.arange(n) % 3])


EVERY = (sequential, functional, subclassed, module, serving, function)
