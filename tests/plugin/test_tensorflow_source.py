"""Keras models and tf.Modules, from the fixture to the package."""

from __future__ import annotations

import os
import zipfile
from typing import TYPE_CHECKING

import onnx
import pytest
from blackbox import LAZY, collected, status

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("tensorflow")
pytest.importorskip("tf2onnx")

pytestmark = pytest.mark.slow

MODELS = """
import keras, numpy as np

def build():
    words, weight = keras.Input((None, 3), name="words"), keras.Input((4,), name="weight-1")
    hidden = keras.layers.GlobalAveragePooling1D()(keras.layers.Dense(4, "gelu")(words))
    hidden = keras.layers.Dropout(0.9)(keras.layers.Multiply()([hidden, weight]))
    return keras.Model([words, weight], {"logits": keras.layers.Dense(2)(hidden), "hidden": hidden})

def samples():
    return [(np.random.rand(n, n + 2, 3).astype("f4"), np.random.rand(n, 4).astype("f4")) for n in (1, 3)]
"""

KERAS = """
import models, pytest
from pytest_navigator import NavConfig, OnnxConfig, TensorFlowSavedModelConfig

nav_config = NavConfig(
    name="keras", framework="tensorflow", runtimes=["cpu"], batch_sizes=[2],
    formats=[TensorFlowSavedModelConfig(jit_compile=(None, True), enable_xla=(None, True)), OnnxConfig(opset=(17, 18))],
)

nav_model = pytest.fixture(scope="session")(models.build)
nav_dataloader = pytest.fixture(scope="session")(models.samples)

def verify_both_outputs(nav_runner):
    for sample in models.samples():
        assert nav_runner(sample)["logits"].shape == (len(sample[1]), 2)
"""

MODULE = """
import pytest

@pytest.fixture(scope="session")
def nav_model() -> "tf.Module":
    import os
    import tensorflow as tf

    assert os.environ["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"

    class Affine(tf.Module):
        def __init__(self):
            self.weight = tf.Variable(tf.random.Generator.from_seed(1).normal((4, 3)))

        @tf.function
        def __call__(self, x):
            return x @ self.weight

    return Affine()

@pytest.fixture(scope="session")
def nav_dataloader():
    import numpy as np

    return [np.random.rand(n, 4).astype("f4") for n in (1, 3)]
"""


@pytest.fixture(autouse=True)
def without_torch(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of packages that cannot be imported, in front of the real ones."""
    broken = pytester.mkdir("broken")
    (broken / "torch.py").write_text("raise RuntimeError('torch was imported')")
    monkeypatch.setenv("PYTHONPATH", f"{broken}{os.pathsep}{pytester.path}")
    monkeypatch.setenv("COLUMNS", "300")
    return broken


def run(pytester: pytest.Pytester, *args: str) -> pytest.RunResult:
    options = ("-rfps", "-p", "no:randomly", "-p", "no:hypothesispytest", "--nav-profile-seconds=0.2")
    return pytester.runpytest_subprocess(*options, *args)


def passed(result: pytest.RunResult) -> set[str]:
    """Return what passed, by the summary: `-v` writes signs of life between its lines."""
    return {line.rpartition("::")[2] for line in result.outlines if line.startswith("PASSED ")}


def test_a_keras_model_is_checked_in_every_format(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(models=MODELS)
    pytester.makeconftest(KERAS)
    result = run(pytester, "--nav-package=out.nav")

    assert result.ret == 0, result.stdout.str()
    assert passed(result) == {
        "test_source",
        *(f"test_export[{key}]" for key in ("tf-savedmodel", "tf-savedmodel-jit")),
        *(f"test_convert[onnx-opset{opset}]" for opset in (17, 18)),
        *(
            f"{test}[{cell}-cpu{batch}]"
            for cell in ("tensorflow", "tf-savedmodel", "tf-savedmodel-jit", "onnx-opset17", "onnx-opset18")
            for test, batch in (("test_correctness", ""), ("test_profile", "-batch2"), ("verify_both_outputs", ""))
            if (cell, test) != ("tensorflow", "verify_both_outputs")
        ),
    }
    result.stdout.fnmatch_lines(["SKIPPED * enable_xla is a flag of jax2tf: a TensorFlow model has no such SavedModel"])

    found = status(pytester.path / "out.nav")
    assert found["config"]["framework"] == "tensorflow"
    assert [m["name"] for m in found["input_metadata"]["metadata"]] == ["words", "weight-1"]
    assert "ExportTF2SavedModel" in found["models_status"]["tf-savedmodel"]["status"]
    assert "ConvertSavedModel2ONNX" in found["pytest_navigator"]["models_status"]["onnx-opset17"]["status"]
    _check_package(pytester)


def _check_package(pytester: pytest.Pytester) -> None:
    folder = pytester.path / "unpacked"
    with zipfile.ZipFile(pytester.path / "out.nav") as archive:
        archive.extractall(folder)
    graph = onnx.load(folder / "onnx-opset18/model.onnx").graph
    shapes = {v.name: [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim] for v in graph.input}
    assert shapes == {"words": ["batch", "words_1", 3], "weight-1": ["batch", 4]}


def test_a_module_with_a_function_is_a_source_in_several_processes(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(MODULE)
    result = run(pytester, "--nav", "--nav-runtimes=cpu", "--nav-no-profile", "-n", "2")
    assert result.ret == 0, result.stdout.str()
    made = {"test_source", "test_export[tf-savedmodel]", "test_convert[onnx]"}
    assert passed(result) >= made | {f"test_correctness[{key}-cpu]" for key in ("tensorflow", "tf-savedmodel", "onnx")}


def test_collecting_a_keras_model_imports_nothing(pytester: pytest.Pytester, without_torch: Path) -> None:
    for name in ("tensorflow", "keras", "tf2onnx"):
        (without_torch / f"{name}.py").write_text(f"raise RuntimeError('{name} was imported')")
    pytester.makeconftest(MODULE.replace("tf.Module", "keras.Model"))
    result = run(pytester, "--nav", "--collect-only", "-q")
    assert result.ret == 0, result.stdout.str()
    steps = ("test_export[tf-savedmodel]", "test_convert[onnx]")
    assert {f"conftest.py::nav_model::{step}" for step in steps} <= set(collected(result))


def test_a_torch_model_needs_no_tensorflow(pytester: pytest.Pytester, without_torch: Path) -> None:
    (without_torch / "torch.py").unlink()
    for name in ("tensorflow", "keras", "tf2onnx", "jax"):
        (without_torch / f"{name}.py").write_text(f"raise RuntimeError('{name} was imported')")
    pytester.makeconftest(LAZY)
    result = run(pytester, "--nav", "--nav-formats=onnx", "--nav-runtimes=cpu")
    assert result.ret == 0, result.stdout.str()
    assert "test_correctness[onnx-cpu]" in passed(result)
    assert not [line for line in result.outlines if "TensorFlow" in line or "savedmodel" in line]


def test_keras_on_another_backend_is_an_error_that_says_so(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("jax")
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    pytester.makepyfile(models=MODELS)
    pytester.makeconftest(KERAS)
    result = run(pytester, "--nav")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["FAILED *test_source - *Keras runs on 'jax' here: only Keras on TensorFlow is *"])
