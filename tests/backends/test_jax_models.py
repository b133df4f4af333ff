from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING

import ml_dtypes
import numpy as np
import pytest

from pytest_navigator.backends.jax.source import JaxFramework
from pytest_navigator.errors import SourceError

jax = pytest.importorskip("jax")
pytest.importorskip("flax")
models = pytest.importorskip("jax_models")

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_navigator.backends.jax.source import JaxSource

JAX = JaxFramework()


def source(model: object) -> JaxSource:
    return JAX.source(model, {})


@pytest.mark.parametrize(
    "dtype", ["float32", "float16", "int32", "uint8", "bool", "complex64", "bfloat16", "float8_e4m3fn"]
)
def test_an_array_is_the_same_after_both_ways(dtype: str) -> None:
    array = np.arange(6).reshape(2, 3).astype(getattr(ml_dtypes, dtype, dtype))
    there = JAX.from_numpy(array)
    assert isinstance(there, jax.Array)
    back = JAX.to_numpy(there)
    assert (back.dtype, back.shape, back.tobytes()) == (array.dtype, array.shape, array.tobytes())
    back[0, 0] = 1  # a copy, not JAX's own memory


def test_an_array_does_not_share_memory_with_its_origin() -> None:
    array = np.zeros((1024, 64), np.float32)
    there = JAX.from_numpy(array)
    array[:] = 1
    assert not np.asarray(there).any()


def test_random_keys_are_no_samples_and_the_error_says_what_is() -> None:
    assert JAX.is_array(jax.random.key(0))
    with pytest.raises(SourceError, match=r"key<fry>.*use jax.random.key_data"):
        JAX.to_numpy(jax.random.key(0))


def test_seeding_changes_nothing() -> None:
    key = jax.random.key(3)
    with JAX.seeded(0):
        inside = jax.random.normal(key)
    assert inside == jax.random.normal(key)


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (models.params_last, ["x"]),
        (models.params_first, ["x"]),
        (models.theta_last, ["x"]),
        (models.compiled, ["x"]),
        (models.partially_applied, ["x"]),
        (models.closure, ["x"]),
        (models.words, ["tokens", "scale"]),
        (models.linen_dense, []),
        (models.linen_bound, ["inputs"]),
        (models.nnx_network, ["x"]),
        (models.callable_tree, ["x"]),
    ],
)
def test_the_parameters_are_no_inputs(make: Callable[[], models.Subject], names: list[str]) -> None:
    found = make().source.parameter_names()
    assert list(found)[:2] == names


@pytest.mark.parametrize("make", [make for make in models.SOURCES if make not in (models.closure, models.sized)])
def test_a_fingerprint_tells_other_parameters(make: Callable[[], models.Subject]) -> None:
    own = make().source
    first = own.fingerprint()
    assert first == own.fingerprint()
    own.tree = jax.tree.map(lambda leaf: leaf + 1 if isinstance(leaf, jax.Array) and leaf.ndim else leaf, own.tree)
    assert own.fingerprint() != first


def test_a_function_without_parameters_has_no_fingerprint() -> None:
    assert models.closure().source.fingerprint() is None


def test_numbers_and_random_keys_of_a_model_belong_to_its_fingerprint() -> None:
    squared, cubed = (models.Scaled(jax.numpy.ones((5, 3)), power) for power in (2.0, 3.0))
    assert source(squared).fingerprint() != source(cubed).fingerprint()
    ones = jax.numpy.ones(3)
    keys = [source((lambda x, params: x, {"key": jax.random.key(n), "w": ones})) for n in (1, 2)]
    assert keys[0].fingerprint() != keys[1].fingerprint()
    assert list(keys[0].arrays) == ["['w']"]


def test_precision_is_the_lowest_of_the_parameters() -> None:
    assert models.half_precision().source.precision() == "bf16"
    assert models.params_last().source.precision() == "fp32"
    assert models.closure().source.precision() == ""


def test_a_model_is_on_the_device_of_its_parameters() -> None:
    assert models.params_last().source.device() == models.closure().source.device() == "cpu"


def test_a_model_in_training_mode_is_refused_and_the_module_is_named() -> None:
    message = r"in training mode: \w+ at \.\w+ has (use_running_average|deterministic)=False; call model.eval\(\)"
    with pytest.raises(SourceError, match=message):
        source(models.nnx_model(training=True)).check()
    source(models.nnx_model()).check()


def test_equinox_modules_are_sources_and_are_refused_in_training_mode() -> None:
    equinox = pytest.importorskip("equinox")
    keys = jax.random.split(jax.random.key(0))
    layers = [equinox.nn.MLP(5, 3, 4, 1, key=keys[0]), equinox.nn.Dropout(0.5)]
    model = equinox.nn.Sequential(layers)
    with pytest.raises(SourceError, match=r"Dropout at \.layers\[1\] has inference=False.*equinox.nn.inference_mode"):
        source(model).check()
    ready = source(equinox.nn.inference_mode(model))
    ready.check()
    assert ready.call((jax.numpy.ones(5),), {}).shape == (3,)
    assert len(ready.arrays) == 4


def test_a_model_without_values_is_refused() -> None:
    shapes = jax.eval_shape(models.weights)
    with pytest.raises(SourceError, match=r"no values: \['b'\] is only a shape; load its weights"):
        source((models.linear, shapes)).check()


def test_donated_parameters_are_told() -> None:
    params = models.weights()
    params["w"].delete()
    with pytest.raises(SourceError, match=r"has lost \['w'\]: it was donated"):
        source((models.linear, params)).check()


@pytest.mark.parametrize(
    ("model", "problem"),
    [
        (3, r"the model is int: \(function, params\) is needed"),
        (({"w": 1}, models.linear), "a tuple that starts with dict"),
        ((models.linear, {}, {}), "a tuple of 3"),
        (models.Scaled, "the class Scaled"),
        ((models.linear,), "a tuple of 1"),
        ((lambda *xs: xs, {}), "a function without an argument for its parameters"),
    ],
)
def test_what_is_no_model_is_refused_and_the_error_says_what_is_one(model: object, problem: str) -> None:
    with pytest.raises(SourceError, match=problem):
        source(model)


def mapped(x: jax.Array, params: jax.Array) -> jax.Array:
    return jax.numpy.tanh(x @ params)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("size", [3, 4])
def test_the_parameters_of_a_mapped_function_are_not_mapped(size: int, *, compiled: bool) -> None:
    function = jax.vmap(mapped, in_axes=(0, None))
    x, params = np.ones((size, 3), np.float32), jax.numpy.ones((3, 2))
    mine = source((jax.jit(function) if compiled else function, params))
    assert list(mine.parameter_names()) == ["x"]
    assert np.allclose(mine.call((x,), {}), np.tanh(x @ params))


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize(
    ("axes", "args", "kwargs", "remedy"),
    [
        (0, (np.ones((4, 3), np.float32),), {}, r"maps 'params' as well .* jax.vmap\(function, in_axes=\(0, None\)\)$"),
        (
            (0, None),
            (),
            {"x": np.ones((4, 3), np.float32)},
            r"let the loader give tuples, \(x,\), with in_axes=\(0, None\)",
        ),
    ],
)
def test_a_mapped_function_that_maps_too_much_is_told_what_to_write(
    axes: object, args: tuple[object, ...], kwargs: dict[str, object], remedy: str, *, compiled: bool
) -> None:
    function = jax.vmap(mapped, in_axes=axes)
    with pytest.raises(SourceError, match=f"^ValueError: vmap .*; jax.vmap {'maps' if kwargs else ''}.*{remedy}"):
        source((jax.jit(function) if compiled else function, jax.numpy.ones((3, 2)))).call(args, kwargs)


def test_a_linen_module_without_its_variables_is_refused() -> None:
    from flax import linen

    with pytest.raises(SourceError, match=r"Dense without its variables: .*\(module, variables\)"):
        source(linen.Dense(3))


def test_a_call_does_not_change_a_module() -> None:
    from flax import nnx

    class Counting(nnx.Module):
        def __init__(self) -> None:
            self.calls = nnx.Variable(jax.numpy.zeros(()))

        def __call__(self, x: object) -> object:
            self.calls[...] += 1
            return x * self.calls[...]

    own = source(Counting())
    with own.preserved():
        assert own.call((jax.numpy.ones(()),), {}) == 1
        assert own.call((jax.numpy.ones(()),), {}) == 2
    with own.preserved():
        assert own.call((jax.numpy.ones(()),), {}) == 1


def test_positional_parameters_of_a_partial_function_are_parameters() -> None:
    model = partial(lambda params, x: models.linear(x, params), models.weights())
    assert set(source(model).arrays) == {"[0][0]['b']", "[0][0]['w']"}


def test_flax_is_not_imported_for_a_function() -> None:
    models.params_last().source.check()
    before = set(sys.modules)
    with models.params_last().source.preserved():
        assert not {name for name in set(sys.modules) - before if name.startswith("flax")}
