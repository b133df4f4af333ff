"""Small JAX models, one for each way in which a real one is given or differs from another, and their signatures."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import subjects

from pytest_navigator.backends.jax.source import JaxFramework

if TYPE_CHECKING:
    from pytest_navigator.frameworks.base import Framework

RANDOM = np.random.default_rng(0)


class Subject(subjects.Subject):
    framework: ClassVar[Framework] = JaxFramework()

    def arguments(self, sample: object) -> tuple[Any, Any]:
        args, kwargs = super().arguments(sample)
        return jax.tree.map(jnp.asarray, (args, dict(kwargs)))


def normal(*shape: int) -> np.ndarray:
    return RANDOM.standard_normal(shape, np.float32)


def linear(x: jax.Array, params: dict[str, jax.Array]) -> jax.Array:
    return x @ params["w"] + params["b"]


def weights() -> dict[str, jax.Array]:
    return {"w": jnp.asarray(normal(5, 7)), "b": jnp.asarray(normal(7))}


def params_last() -> Subject:
    return Subject((linear, weights()), lambda n: normal(n, 5))


def params_first() -> Subject:
    return Subject((lambda params, x: linear(x, params), weights()), lambda n: normal(n, 5))


def theta_last() -> Subject:
    return Subject((lambda x, theta: linear(x, theta), weights()), lambda n: normal(n, 5))


def compiled() -> Subject:
    return Subject((jax.jit(linear), weights()), lambda n: normal(n, 5))


def partially_applied() -> Subject:
    return Subject(partial(linear, params=weights()), lambda n: normal(n, 5))


def closure() -> Subject:
    own = weights()
    return Subject(lambda x: linear(x, own), lambda n: normal(n, 5))


def half_precision() -> Subject:
    own = jax.tree.map(lambda a: a.astype(jnp.bfloat16), weights())
    return Subject((linear, own), lambda n: jnp.asarray(normal(n, 5), jnp.bfloat16))


class Result(NamedTuple):
    logits: jax.Array
    nothing: None
    best: jax.Array


def attention(
    tokens: dict[str, jax.Array], scale: float = 1.0, *, mask: jax.Array, params: dict[str, jax.Array]
) -> dict[str, Any]:
    """Nested inputs, a constant, 64-bit integers in the sample, two dynamic axes, a namedtuple and a dict out."""
    hidden = params["embedding"][tokens["input_ids"]] * mask[..., None] * scale
    scores = jax.nn.softmax(hidden @ hidden.swapaxes(1, 2))
    logits = (scores @ hidden).sum(1)
    return {"result": Result(logits, None, logits.argmax(-1)), "hidden": hidden}


def words(length: int = 6) -> Subject:
    def sample(n: int, length: int = length) -> object:
        ids = RANDOM.integers(0, 20, (n, length))
        return ({"input_ids": ids}, 0.5, {"mask": np.ones((n, length), np.float32)})

    both = {0: "batch", 1: "length"}
    axes = {"input_ids": both, "mask": both, "hidden": both}
    return Subject((attention, {"embedding": jnp.asarray(normal(20, 8))}), sample, axes)


def branching() -> Subject:
    return Subject(lambda x: x * 2 if x.sum() > 0 else x - 1, lambda n: np.ones((n, 3), np.float32))


def sized() -> Subject:
    """Uses the batch size as a number."""
    return Subject(lambda x: {"y": x * 2 / x.shape[0]}, lambda n: normal(n, 3))


def linen_dense() -> Subject:
    from flax import linen

    module = linen.Sequential([linen.Dense(8), linen.gelu, linen.LayerNorm(), linen.Dense(3)])
    return Subject((module, module.init(jax.random.key(0), jnp.zeros((1, 5)))), lambda n: normal(n, 5))


def linen_bound() -> Subject:
    from flax import linen

    module = linen.Dense(3)
    return Subject(module.bind(module.init(jax.random.key(0), jnp.zeros((1, 5)))), lambda n: normal(n, 5))


def nnx_model(*, training: bool = False) -> Any:
    from flax import nnx

    class Network(nnx.Module):
        def __init__(self, rngs: nnx.Rngs) -> None:
            self.first = nnx.Linear(5, 8, rngs=rngs)
            self.norm = nnx.BatchNorm(8, rngs=rngs)
            self.dropout = nnx.Dropout(0.5, rngs=rngs)
            self.last = nnx.Linear(8, 3, rngs=rngs)

        def __call__(self, x: jax.Array) -> jax.Array:
            return self.last(self.dropout(jax.nn.relu(self.norm(self.first(x)))))

    model = Network(nnx.Rngs(0))
    model.train() if training else model.eval()
    return model


def nnx_network() -> Subject:
    return Subject(nnx_model(), lambda n: normal(n, 5))


@jax.tree_util.register_dataclass
@dataclass
class Scaled:
    """A callable tree, as equinox has them, with a number among its leaves."""

    weight: jax.Array
    power: float

    def __call__(self, x: jax.Array) -> jax.Array:
        return (x @ self.weight) ** self.power


def callable_tree() -> Subject:
    return Subject(Scaled(jnp.asarray(normal(5, 3)), 2.0), lambda n: normal(n, 5))


SOURCES = [
    params_last,
    params_first,
    theta_last,
    compiled,
    partially_applied,
    closure,
    half_precision,
    words,
    sized,
    linen_dense,
    linen_bound,
    nnx_network,
    callable_tree,
]
"""Every way in which a model can be given."""
