"""`-n 2` with models of JAX and Keras: each worker builds its own, every step runs once, and the package is whole."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

import pytest
from blackbox import status, words

from pytest_navigator.package.container.reader import open_package

if TYPE_CHECKING:
    from pathlib import Path

    from blackbox import Nav

pytestmark = pytest.mark.slow

JAX = """
import numpy as np, pytest

@pytest.fixture(scope="session")
def nav_model() -> "jax.Array":
    import jax
    note = open("built.txt", "a")
    note.write("x")
    note.close()
    weights = {"w": np.random.randn(5, 7).astype("float32"), "b": np.zeros(7, "float32")}
    return (lambda x, params: jax.nn.gelu(x @ params["w"] + params["b"])), weights

@pytest.fixture(scope="session")
def nav_dataloader():
    return [np.random.randn(n, 5).astype("float32") for n in (2, 4)]
"""
KERAS = """
import numpy as np, pytest

@pytest.fixture(scope="session")
def nav_model() -> "keras.Model":
    import keras
    note = open("built.txt", "a")
    note.write("x")
    note.close()
    inputs = [keras.Input((5,), name="x"), keras.Input((1,), name="scale")]
    return keras.Model(inputs, {"y": keras.layers.Dense(7, activation="gelu")(inputs[0]) * inputs[1]})

@pytest.fixture(scope="session")
def nav_dataloader():
    return [{"x": np.random.randn(n, 5).astype("float32"), "scale": np.ones((n, 1), "float32")} for n in (2, 4)]
"""
VERIFY = """
import numpy as np

def verify_the_shape(nav_runner, nav_source_runner):
    sample = {sample}
    found, expected = nav_runner.infer(sample), nav_source_runner.infer(sample)
    assert [np.shape(array) for array in found.values()] == [(3, 7)]
    for one, other in zip(found.values(), expected.values(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
"""
X = '{"x": np.full((3, 5), 0.5, "float32")}'
BOTH = '{"x": np.full((3, 5), 0.5, "float32"), "scale": np.ones((3, 1), "float32")}'


@pytest.mark.parametrize(
    ("conftest", "sample", "needs", "formats"),
    [
        (JAX, X, ("jax",), {"jax": "cpu jit-cpu", "stablehlo": "cpu"}),
        (KERAS, BOTH, ("keras", "tensorflow", "tf2onnx"), {"tensorflow": "cpu", "tf-savedmodel": "cpu", "onnx": "cpu"}),
    ],
    ids=["jax", "keras"],
)
def test_two_workers_check_one_model(
    pytester: pytest.Pytester, nav: Nav, conftest: str, sample: str, needs: tuple[str, ...], formats: dict[str, str]
) -> None:
    if missing := [package for package in needs if importlib.util.find_spec(package) is None]:
        pytest.skip(f"{missing[0]} is not installed")  # not imported here: TensorFlow beside torch can end the process
    pytester.makeconftest(conftest)
    pytester.makepyfile(test_quality=VERIFY.replace("{sample}", sample))
    runtimes = ",".join(sorted({runtime for names in formats.values() for runtime in names.split()}))
    arguments = "-v", "-n2", "--nav-package=out.nav", f"--nav-runtimes={runtimes}", "conftest.py", "test_quality.py"

    result = nav(*arguments, formats=",".join(formats), subprocess=True)

    cells = {f"{key}-{runtime}" for key, runtimes in formats.items() for runtime in runtimes.split()}
    source = next(iter(formats))
    expected = {"test_source", *(f"test_correctness[{cell}]" for cell in cells)}
    expected |= {f"verify_the_shape[{cell}]" for cell in cells if not cell.startswith(f"{source}-")}
    found = words(result)
    made = {name for name in found if name.startswith(("test_export", "test_convert"))}
    assert {name.partition("[")[2].rstrip("]") for name in made} == set(formats) - {source}
    assert found == dict.fromkeys(expected | made, "PASSED")
    assert len((pytester.path / "built.txt").read_text()) <= 2
    _check_package(pytester.path / "out.nav")


def _check_package(path: Path) -> None:
    with open_package(path) as package:
        package.verify()
        assert package.complete
    said = status(path)["pytest_navigator"]
    assert {step["status"] for step in said["steps"].values()} == {"passed"}
    runs = {step["data"]["run"] for step in said["steps"].values() if "run" in step["data"]}
    assert len(runs) == 1
