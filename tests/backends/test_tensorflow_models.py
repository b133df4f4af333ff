from __future__ import annotations

from typing import Any

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
keras = pytest.importorskip("keras")
models = pytest.importorskip("tensorflow_models")

import ml_dtypes  # noqa: E402

from pytest_navigator.backends.tensorflow.source import (  # noqa: E402
    TensorFlowFramework,
    TensorFlowSource,
)
from pytest_navigator.errors import SourceError  # noqa: E402
from pytest_navigator.samples.structure import (  # noqa: E402
    Call,
    flatten_call,
)

FRAMEWORK = TensorFlowFramework()


def source(model: object) -> TensorFlowSource:
    return FRAMEWORK.source(model, {})


def names(model: object, sample: object) -> list[str]:
    wrapped = source(model)
    call = wrapped.call_of(sample)
    return list(flatten_call(call, wrapped.parameter_names(), wrapped.input_names(call), FRAMEWORK)[1])


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype="float32").reshape(2, 3),
        np.array(3, dtype="int64"),
        np.zeros((2, 0), dtype="float16"),
        np.array([True, False]),
        np.array([1 + 2j], dtype="complex64"),
        np.ones(3, ml_dtypes.bfloat16),
        np.arange(6, dtype=">f4").reshape(2, 3)[:, ::2],
        np.array(["a", "bé"]),
        np.array("a"),
    ],
    ids=lambda array: f"{array.dtype}-{array.ndim}",
)
def test_an_array_comes_back_with_its_shape_and_type(array: np.ndarray) -> None:
    tensor = FRAMEWORK.from_numpy(array)
    back = FRAMEWORK.to_numpy(tensor)
    assert FRAMEWORK.is_array(tensor)
    assert (back.shape, back.dtype) == (array.shape, array.dtype.newbyteorder("="))
    assert back.tolist() == array.tolist()


def test_a_tensor_shares_no_memory_with_its_array() -> None:
    array = np.zeros(1000, "float32")
    tensor = FRAMEWORK.from_numpy(array)
    array[:] = 1
    FRAMEWORK.to_numpy(tensor)[:] = 2
    assert not tensor.numpy().any()


def test_a_sparse_or_ragged_tensor_is_no_array() -> None:
    assert not FRAMEWORK.is_array(tf.sparse.from_dense([[1.0]]))
    assert not FRAMEWORK.is_array(tf.ragged.constant([[1.0], []]))
    assert FRAMEWORK.is_array(tf.Variable([1.0]))


def drawn() -> list[float]:
    generator = tf.random.get_global_generator()
    return [float(tf.random.normal(())), float(generator.normal(()))]


def test_seeding_repeats_what_is_drawn_and_puts_the_old_state_back() -> None:
    tf.random.set_seed(7)
    tf.random.set_global_generator(tf.random.Generator.from_seed(7))
    expected = [drawn(), drawn()]
    tf.random.set_seed(7)
    tf.random.set_global_generator(tf.random.Generator.from_seed(7))
    seen = [drawn()]
    within = []
    for _ in range(2):
        with FRAMEWORK.seeded(3):
            within.append([drawn(), drawn()])
    seen.append(drawn())
    assert seen == expected
    assert within[0] == within[1] != expected


def test_names_are_those_of_the_keras_inputs() -> None:
    model = models.several_inputs()
    sample = (models.floats(2, 5, 3), models.floats(2, 5))
    assert names(model, sample) == names(model, list(sample)) == ["words", "mask-1"]
    assert names(models.sequential().model, models.floats(2, 4)) == ["features"]


def test_the_keys_of_a_dict_are_the_names() -> None:
    inputs = {name: keras.Input((2,), name=name) for name in ("b", "a")}
    model = keras.Model(inputs, keras.layers.Add()(list(inputs.values())))
    sample = {"a": models.floats(1, 2), "b": models.floats(1, 2)}
    assert names(model, sample) == ["a", "b"]
    assert names(model, dict(reversed(sample.items()))) == ["b", "a"]


def test_names_that_keras_made_up_are_not_used() -> None:
    inputs = [keras.Input((2,)), keras.Input((2,))]
    model = keras.Model(inputs, keras.layers.Add()(inputs))
    assert names(model, [models.floats(1, 2)] * 2) == ["inputs__0", "inputs__1"]
    unnamed = keras.Sequential([keras.layers.Dense(2)])
    unnamed(models.floats(1, 2))
    assert names(unnamed, models.floats(1, 2)) == ["inputs"]


def test_a_keras_sample_is_one_argument_unless_a_call_says_otherwise() -> None:
    model = source(models.several_inputs())
    assert model.call_of((1, 2)) == Call((1, 2))
    assert model.call_of({"a": 1}) == Call({"a": 1})
    assert model.call_of(Call(1, mask=2)) == Call(1, mask=2)


def test_a_function_is_called_as_its_signature_takes_a_sample() -> None:
    two = source(tf.function(lambda x, y: x + y))
    one = source(tf.function(lambda features: features["x"]))
    assert two.call_of((1, 2)) == Call(1, 2)
    assert two.call_of({"x": 1, "y": 2}) == Call(x=1, y=2)
    assert one.call_of({"x": 1}) == Call({"x": 1})
    assert one.call_of((1, 2)) == Call((1, 2))
    assert source(models.Affine()).call_of((1,)) == Call((1,))
    assert source(models.Serving()).call_of((1, 2)) == Call(1, 2)


def test_parameters_are_named_without_self() -> None:
    assert source(models.Affine()).parameter_names() == ["x"]
    assert source(models.Serving()).parameter_names() == ["x", "y"]
    assert source(tf.function(lambda a, *rest, b: a)).parameter_names() == ["a"]
    assert models.subclassed().source.parameter_names() == ["batch", "training"]


def test_dropout_is_off_where_keras_is_called() -> None:
    model = source(keras.Sequential([keras.Input((50,)), keras.layers.Dropout(0.9)]))
    x = models.floats(2, 50)
    np.testing.assert_array_equal(FRAMEWORK.to_numpy(model.call([x], {})), x)


class Several(tf.Module):
    @tf.function
    def first(self, x: Any) -> Any:
        return x

    @tf.function
    def second(self, x: Any) -> Any:
        return x


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (keras.Sequential, "the class Sequential: an instance of it is needed"),
        (np.zeros(3), "is ndarray: a Keras model, a tf.Module or a tf.function is needed"),
        (lambda x: x, "is function: a Keras model, a tf.Module or a tf.function"),
        (tf.Module(), "is Module: it has no tf.function and no __call__"),
        (Several(), r"several tf.functions \(first, second\) and no __call__: give it a __call__, or return"),
    ],
    ids=["class", "array", "function", "module", "several"],
)
def test_what_is_no_model_is_an_error_that_says_what_is_needed(model: object, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        source(model)


def test_one_of_several_functions_can_be_returned_itself() -> None:
    assert source(Several().second).parameter_names() == ["x"]


def test_a_model_that_is_not_built_is_an_error() -> None:
    model = keras.Sequential([keras.layers.Dense(2)])
    with pytest.raises(SourceError, match=r"not built, so that its weights .* keras.Input\(shape\), or call it once"):
        source(model).check()
    model(models.floats(1, 3))
    source(model).check()


@pytest.mark.parametrize(
    ("make", "weight"),
    [
        (models.sequential, lambda model: model.weights[-1]),
        (models.subclassed, lambda model: model.dense.kernel),
        (models.module, lambda model: model.weight),
        (models.serving, lambda model: model.layers["dense"].bias),
    ],
)
def test_the_fingerprint_is_that_of_the_weights(make: Any, weight: Any) -> None:
    model = make().source
    before = model.fingerprint()
    assert before is not None
    assert model.fingerprint() == before
    variable = weight(model.model)
    variable.assign(variable + 1)
    assert model.fingerprint() != before


def test_equal_models_have_equal_fingerprints_whatever_keras_calls_their_layers() -> None:
    def built() -> keras.Model:
        keras.utils.set_random_seed(5)
        return keras.Sequential([keras.Input((3,)), keras.layers.Dense(2), keras.layers.Dropout(0.5)])

    assert source(built()).fingerprint() == source(built()).fingerprint()


def test_a_function_has_no_fingerprint_of_its_own() -> None:
    assert models.function().source.fingerprint() is None


def test_precision_and_device() -> None:
    half = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, dtype="mixed_float16"), keras.layers.Dense(1)])
    assert source(half).precision() == "fp16"
    assert models.sequential().source.precision() == "fp32"
    assert models.function().source.precision() == ""
    assert models.module().source.device() == models.sequential().source.device() == "cpu"
