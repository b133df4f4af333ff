"""A model of JAX is put back: what a tracer leaves in a cache must not meet the next call."""

from __future__ import annotations

from typing import Any

import pytest

jax = pytest.importorskip("jax")

import jax.numpy as jnp  # noqa: E402

from pytest_navigator.backends.jax.source import JaxFramework  # noqa: E402

KNOWN: dict[int, Any] = {}


def closed() -> Any:
    kept: dict[int, Any] = {}

    def model(x: Any, params: Any) -> Any:
        size = x.shape[-1]
        if size not in kept:
            kept[size] = x[0] * 0
        return x @ params + kept[size].sum()

    return model


def in_the_module(x: Any, params: Any) -> Any:
    if x.shape[-1] not in KNOWN:
        KNOWN[x.shape[-1]] = x[0] * 0
    return x @ params + KNOWN[x.shape[-1]].sum()


class Callable:
    def __init__(self) -> None:
        self.kept: Any = None

    def __call__(self, x: Any, params: Any) -> Any:
        if self.kept is None:
            self.kept = x[0] * 0
        return x @ params + self.kept.sum()


MAKES = {
    "closed over": closed,
    "of the module": lambda: in_the_module,
    "attribute": Callable,
    "of a bound method": lambda: Callable().__call__,
}


@pytest.mark.parametrize("make", MAKES.values(), ids=MAKES)
def test_a_tracer_in_a_cache_meets_nobody(make: Any) -> None:
    source: Any = JaxFramework().source((make(), jnp.ones((5, 7))), {})
    x = jnp.ones((3, 5))
    with source.preserved():
        jax.jit(source.function()).lower(x)
    assert source.call((x,), {}).shape == (3, 7)
    KNOWN.clear()


def test_a_module_of_nnx_forgets_what_it_noted() -> None:
    nnx = pytest.importorskip("flax.nnx")

    class Model(nnx.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            self.line = nnx.Linear(5, 7, rngs=nnx.Rngs(0))
            self.count = nnx.Variable(jnp.zeros(()))
            self.size = 0

        def __call__(self, x: Any) -> Any:
            self.count[...] += 1
            self.size = x.shape[0]
            return self.line(x)

    model = Model()
    source: Any = JaxFramework().source(model, {})
    with source.preserved():
        source.call((jnp.ones((3, 5)),), {})
    assert (int(model.count[...]), model.size) == (0, 0)
    assert source.call((jnp.ones((2, 5)),), {}).shape == (2, 7)
