"""Two models that differ in what no parameter tells are two models; equal ones whose last bits differ are one."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest
from blackbox import words

if TYPE_CHECKING:
    from blackbox import Nav

SEEN = "*nav_model is another model here than the one that the source step has checked*seed*"
TORCH = """
import random, types
import numpy as np, pytest, torch
from pytest_navigator import NavConfig

draw = random.SystemRandom().uniform

class Model(torch.nn.Module):
    def __init__(self, kept):
        super().__init__()
        self.line = torch.nn.Linear(5, 7)
        self.kept = kept

    def forward(self, x):
        return {call}

@pytest.fixture
def drawn():
    return {drawn}

@pytest.fixture
def nav_model(drawn) -> torch.nn.Module:
    model = Model(drawn).eval()
    return {made}

@pytest.fixture(scope="session")
def nav_dataloader():
    return [torch.randn(3, 5) for _ in range(2)]
"""
QUANTIZED = "torch.ao.quantization.quantize_dynamic(model, {torch.nn.Linear}, dtype=torch.qint8).eval()"
KINDS = {
    "number": ("draw(1, 9)", "self.line(x) * self.kept", "model"),
    "plain tensor": ("torch.tensor([draw(1, 9)])", "self.line(x) * self.kept", "model"),
    "numpy array": ("np.array([draw(1, 9)], 'float32')", "self.line(x) * torch.from_numpy(self.kept)", "model"),
    "nested object": (
        "types.SimpleNamespace(by=[{'it': draw(1, 9)}])",
        "self.line(x) * self.kept.by[0]['it']",
        "model",
    ),
    "function": ("(lambda by: lambda x: x * by)(draw(1, 9))", "self.kept(self.line(x))", "model"),
    "packed weights": (
        "torch.nn.Linear(7, 7).apply(lambda m: torch.nn.init.constant_(m.weight, draw(1, 9)))",
        "self.kept(self.line(x))",
        QUANTIZED,
    ),
}
SAME = {
    "last bits drawn anew for each model": ("1 + draw(0, 1e-6)", "self.line(x) * self.kept", "model"),
    "last bits drawn anew in each call": ("1", "self.line(x) * (1 + draw(0, 1e-6))", "model"),
    "what no output depends on": ("draw(0, 1)", "self.line(x)", "model"),
}
CHOSEN = "test_source or torch-cpu"


def write(pytester: pytest.Pytester, kind: tuple[str, str, str]) -> None:
    drawn, call, made = kind
    text = TORCH.replace("{drawn}", drawn).replace("{call}", call).replace("{made}", made)
    pytester.makeconftest(text)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:.*quantized tensor creation:UserWarning")
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_another_model_is_noticed(pytester: pytest.Pytester, nav: Nav, kind: tuple[str, str, str]) -> None:
    write(pytester, kind)
    result = nav("-v", "-rf", "--nav-in-process", "-k", CHOSEN, formats="torch")
    assert words(result) == {"test_source": "PASSED", "test_correctness[torch-cpu]": "FAILED"}
    result.stdout.fnmatch_lines([SEEN])


@pytest.mark.parametrize("kind", SAME.values(), ids=SAME)
def test_an_equal_model_is_not_called_another_one(
    pytester: pytest.Pytester, nav: Nav, kind: tuple[str, str, str]
) -> None:
    write(pytester, kind)
    result = nav("-v", "--nav-in-process", "-k", CHOSEN, formats="torch")
    assert words(result) == {"test_source": "PASSED", "test_correctness[torch-cpu]": "PASSED"}


COUNTED = """
import pathlib, pytest, torch

class Counted(torch.nn.Linear):
    def forward(self, x):
        with open(pathlib.Path(__file__).with_name("calls.txt"), "a") as file:
            file.write(".")
        return super().forward(x)

@pytest.fixture(scope="session")
def nav_model() -> torch.nn.Module:
    return Counted(5, 7).eval()

@pytest.fixture(scope="session")
def nav_dataloader():
    return [torch.randn(1, 5)]
"""


def test_the_process_that_has_seen_the_model_does_not_call_it_again(pytester: pytest.Pytester, nav: Nav) -> None:
    pytester.makeconftest(COUNTED)
    called = pytester.path / "calls.txt"
    nav("--nav-in-process", "-k", "test_source", formats="torch").assert_outcomes(passed=1, deselected=1)
    alone = len(called.read_text())
    called.unlink()
    nav("--nav-in-process", formats="torch").assert_outcomes(passed=2)
    assert len(called.read_text()) == alone + 1


FUNCTION = """
import random
import numpy as np, pytest
from pytest_navigator import NavConfig

nav_config = NavConfig(framework="python")

@pytest.fixture
def drawn():
    return random.SystemRandom().uniform(1, 9)

@pytest.fixture
def nav_model(drawn):
    @MAKE@
    return lambda x: np.tanh(x) * by

@pytest.fixture(scope="session")
def nav_dataloader():
    return [np.random.randn(3, 5).astype("float32") for _ in range(2)]
"""


@pytest.mark.parametrize(
    ("make", "found"),
    [("by = drawn", "FAILED"), ("by = 1 + drawn * 1e-7", "PASSED")],
    ids=["another", "other last bits"],
)
def test_functions_are_told_apart_by_what_they_give(pytester: pytest.Pytester, nav: Nav, make: str, found: str) -> None:
    pytester.makeconftest(FUNCTION.replace("@MAKE@", make).replace("* by", "* np.float32(by)"))
    result = nav("-v", "-rf", "--nav-in-process", formats="")
    assert words(result)["test_correctness[python-cpu]"] == found
    assert ("another model here" in result.stdout.str()) == (found == "FAILED")


JAX = """
import random
import jax, jax.numpy as jnp, numpy as np, pytest
from pytest_navigator import NavConfig

nav_config = NavConfig(framework="jax")

@pytest.fixture
def drawn():
    return random.SystemRandom().uniform(1, 9)

@pytest.fixture
def nav_model(drawn):
    @jax.jit
    def model(x, params):
        return x @ params * drawn
    return model, jnp.ones((5, 7))

@pytest.fixture(scope="session")
def nav_dataloader():
    return [np.ones((3, 5), "float32")]
"""
KERAS = """
import random
import keras, numpy as np, pytest

@pytest.fixture
def drawn():
    return random.SystemRandom().uniform(1, 9)

class Scaled(keras.layers.Layer):
    def __init__(self, by):
        super().__init__()
        self.by = by

    def call(self, x):
        return x * self.by

@pytest.fixture
def nav_model(drawn) -> keras.Model:
    x = keras.Input((5,))
    return keras.Model(x, Scaled(drawn)(keras.layers.Dense(7)(x)))

@pytest.fixture(scope="session")
def nav_dataloader():
    return [np.ones((3, 5), "float32")]
"""


@pytest.mark.slow
@pytest.mark.parametrize(("package", "conftest"), [("jax", JAX), ("tensorflow", KERAS)], ids=["jax", "keras"])
def test_other_frameworks_notice_it_too(pytester: pytest.Pytester, nav: Nav, package: str, conftest: str) -> None:
    if find_spec(package) is None:  # not imported here: TensorFlow beside torch can end the process
        pytest.skip(f"{package} is not installed")
    pytester.makeconftest(conftest)
    chosen = f"test_source or correctness and {package}-cpu"
    result = nav("-v", "-rf", "--nav-in-process", "-k", chosen, formats=package, subprocess=True)
    assert words(result) == {"test_source": "PASSED", f"test_correctness[{package}-cpu]": "FAILED"}
    result.stdout.fnmatch_lines([SEEN])
