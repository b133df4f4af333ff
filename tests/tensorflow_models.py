"""Small TensorFlow models, one for each way in which a real one differs from another, and their signatures."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field
from typing import TYPE_CHECKING
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from pytest_navigator.frameworks.tensorflow import TensorFlowFramework
from pytest_navigator.npz import dtype_name
from pytest_navigator.records import Signature
from pytest_navigator.records import TensorSpec
from pytest_navigator.structure import flatten_call
from pytest_navigator.structure import flatten_output

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_navigator.formats.base import Format
    from pytest_navigator.formats.base import FormatConfig
    from pytest_navigator.records import Variant
    from pytest_navigator.runners.base import Runner

BATCH = {0: "batch"}


@dataclass
class Subject:
    """A model with everything that a format or a runner asks of it; `sample(n)` is a sample of batch size n."""

    model: Any
    sample: Callable[[int], object]
    axes: dict[str, dict[int, str]] = field(default_factory=dict)
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.framework = TensorFlowFramework()
        self.source = self.framework.source(self.model, {})
        input_tree, self.example = self._flat(self.sample(2))
        output_tree, outputs = self._run(self.sample(2))
        specs = [tuple(self._spec(name, array) for name, array in arrays.items()) for arrays in (self.example, outputs)]
        self.signature = Signature(specs[0], specs[1], input_tree, output_tree, 0, "tensorflow")

    def feed(self, sample: object) -> dict[str, np.ndarray]:
        return self._flat(sample)[1]

    def export(
        self, format: Format, config: FormatConfig, path: Path, index: int = 0
    ) -> tuple[Variant, dict[str, Any]]:
        variant = format.variants(config, [])[index]
        return variant, format.export(self.source, self.example, self.signature, variant, path / variant.file)

    def check(self, runner: Runner, sizes: tuple[int, ...] = (1, 2, 5)) -> None:
        """Compare a runner with the source at several batch sizes."""
        with runner:
            for size in sizes:
                sample = self.sample(size)
                found, expected = runner.infer(self.feed(sample)), self._run(sample)[1]
                assert list(found) == list(expected)
                for name, array in expected.items():
                    assert (dtype_name(found[name].dtype), found[name].shape) == (dtype_name(array.dtype), array.shape)
                    if array.dtype.kind == "U":
                        assert found[name].tolist() == array.tolist()
                    else:
                        np.testing.assert_allclose(found[name], array, atol=1e-5, rtol=1e-5)

    def _flat(self, sample: object) -> tuple[Any, dict[str, np.ndarray]]:
        call = self.source.call_of(sample)
        names = self.names or self.source.input_names(call)
        return flatten_call(call, self.source.parameter_names(), names, self.framework)

    def _run(self, sample: object) -> tuple[Any, dict[str, np.ndarray]]:
        call = self.source.call_of(sample)
        return flatten_output(self.source.call(call.args, call.kwargs), None, self.framework)

    def _spec(self, name: str, array: np.ndarray) -> TensorSpec:
        axes = self.axes.get(name, BATCH if array.ndim else {})
        shape = tuple(-1 if axis in axes else size for axis, size in enumerate(array.shape))
        return TensorSpec(name, shape, dtype_name(array.dtype), dict(axes), axes.get(0) == "batch")


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
