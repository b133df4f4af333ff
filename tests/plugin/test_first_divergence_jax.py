"""JAX models that compute something else once they are traced: the failure says which module does."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from blackbox import Nav

pytest.importorskip("flax")

LINEN = """import jax
import numpy as np
from flax import linen as nn

def traced(x):
    return isinstance(x, jax.core.Tracer)

class Odd(nn.Module):
    fault: str

    @nn.compact
    def __call__(self, x):
        y = nn.Dense(8)(nn.LayerNorm()(x))
        return y * 1.01 if self.fault == "module" and traced(x) else y

class Model(nn.Module):
    fault: str

    @nn.compact
    def __call__(self, x):
        x = nn.gelu(nn.Dense(8)(x))
        x = Odd(self.fault, name="odd")(x)
        if self.fault == "root" and traced(x):
            x = x + 0.1
        return nn.Dense(4, name="last")(nn.gelu(x))  # the last line

def made(fault):
    model = Model(fault)
    return model.bind(model.init(jax.random.key(0), np.zeros((1, 8), "float32")))
"""

NNX = """import jax
from flax import nnx

class Odd(nnx.Module):
    def __init__(self, fault, rngs):
        self.fault = fault
        self.up = nnx.Linear(8, 8, rngs=rngs)

    def __call__(self, x):
        y = self.up(x)
        return y * 1.01 if self.fault == "module" and isinstance(x, jax.core.Tracer) else y

class Model(nnx.Module):
    def __init__(self, fault, rngs):
        self.first = nnx.Linear(8, 8, rngs=rngs)
        self.odd = Odd(fault, rngs)
        self.last = nnx.Linear(8, 4, rngs=rngs)

    def __call__(self, x):
        return self.last(nnx.gelu(self.odd(nnx.gelu(self.first(x)))))

def made(fault):
    return Model(fault, nnx.Rngs(0))
"""

FUNCTION = """import jax

def model(params, x):
    return x * params["scale"] * (1.01 if isinstance(x, jax.core.Tracer) else 1.0)

def made(fault):
    return model, {"scale": jax.numpy.ones(8)}
"""

CONFTEST = """
import numpy as np, pytest
from model import made
from pytest_navigator import NavConfig

nav_config = NavConfig(framework="jax")

@pytest.fixture(scope="session")
def nav_model():
    return made({fault!r})

@pytest.fixture(scope="session")
def nav_dataloader():
    return [np.random.default_rng(i).standard_normal((3, 8)).astype("float32") for i in range(2)]
"""


def line_of(text: str, part: str) -> int:
    return next(i for i, line in enumerate(text.splitlines(), start=1) if part in line)


@pytest.fixture
def lines(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, nav: Nav, failed: Callable[..., dict[str, str]]
) -> Callable[..., dict[str, str]]:
    """Check a model: the cell that failed -> how it failed."""
    monkeypatch.setenv("COLUMNS", "500")

    def run(model: str, fault: str, *arguments: str, formats: str = "stablehlo") -> dict[str, str]:
        pytester.makepyfile(model=model)
        pytester.makeconftest(CONFTEST.format(fault=fault))
        found = failed(nav(*arguments, formats=formats))
        return {re.sub(r".*test_correctness\[(.*)\]", r"\1", name): text for name, text in found.items()}

    return run


@pytest.mark.parametrize(
    ("model", "fault", "place", "line"),
    [
        (LINEN, "module", "odd Odd", line_of(LINEN, "class Odd") + 3),
        (LINEN, "root", r"input 0 of .*?( Model)?", line_of(LINEN, "the last line")),
        (NNX, "module", "odd Odd", line_of(NNX, "    def __call__")),
    ],
    ids=["linen", "linen-root", "nnx"],
)
def test_the_module_that_is_traced_otherwise_is_named(
    lines: Callable[..., dict[str, str]], model: str, fault: str, place: str, line: int
) -> None:
    found = lines(model, fault)["stablehlo-cpu"]

    assert re.search(rf"; first divergence: {place} at model.py:{line}: ", found), found


@pytest.mark.slow
def test_every_format_that_is_made_of_the_traced_model_names_the_module(lines: Callable[..., dict[str, str]]) -> None:
    found = lines(LINEN, "module", "--nav-runtimes=cpu,jit-cpu", formats="jax,onnx,tf-savedmodel")

    assert len(found) >= 2
    assert all("first divergence: odd Odd at model.py:" in text for text in found.values()), found


def test_a_function_without_modules_fails_as_before(lines: Callable[..., dict[str, str]]) -> None:
    found = lines(FUNCTION, "")["stablehlo-cpu"]

    assert found.startswith("output__0: max abs")
    assert "divergence" not in found


def test_where_no_module_is_wrong_none_is_blamed(lines: Callable[..., dict[str, str]]) -> None:
    found = lines(LINEN, "", "--nav-atol=output__0=1e-12", "--nav-rtol=output__0=0")

    assert " at model.py" not in str(found).partition("no single place")[0]
