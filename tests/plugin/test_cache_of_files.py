"""`--nav-cache` with real conversions, and a package made from it."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import pytest
from blackbox import status, words

if TYPE_CHECKING:
    from pathlib import Path

    from blackbox import Nav

MODEL = """
import torch

class Scores(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(5, 3)

    def forward(self, features):
        return self.linear(features).softmax(-1)
"""
KERAS = """
import pytest

@pytest.fixture(scope="session")
def nav_model() -> "keras.Model":
    import keras
    return keras.Sequential([keras.Input((5,), name="x"), keras.layers.Dense(7)])

@pytest.fixture(scope="session")
def nav_dataloader():
    import numpy as np
    return [np.random.rand(3, 5).astype("float32") for _ in range(2)]
"""
CHANGING = {"navigator.log", "torchscript/format.log", "onnx/format.log"}


def without_figures(package: Path) -> tuple[dict[str, str], dict[str, object]]:
    """Return digest of every file, and outcome of every step, without times and where they come from."""
    said = status(package)["pytest_navigator"]
    files = {name: digest for name, digest in said["files"].items() if name not in CHANGING}
    steps = {}
    for name, step in said["steps"].items():
        data = {key: value for key, value in step["data"].items() if key not in ("run", "cached", "warnings")}
        steps[name] = (step["status"], step.get("digest"), data if name != "source" else None)
    return files, steps


def test_a_file_is_converted_once_and_its_package_is_the_same(pytester: pytest.Pytester, nav: Nav) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnxruntime")
    torch.manual_seed(0)
    names: dict[str, type] = {}
    exec(MODEL, names)
    with pytest.warns(DeprecationWarning, match="torch.jit"):
        torch.jit.trace(names["Scores"]().eval(), torch.rand(2, 5)).save(str(pytester.path / "scores.pt"))
    arguments = (
        "-v",
        "--nav-model=scores.pt",
        "--nav-inputs=x:-1,5:float32",
        "--nav-package=out.nav",
        "--nav-in-process",
    )

    packages = []
    for use in ((), ("--nav-cache=cache",), ("--nav-cache=cache",)):
        result = nav(*arguments, *use, formats="")
        assert set(words(result).values()) == {"PASSED"}
        packages.append(without_figures(pytester.path / "out.nav"))

    result.stdout.fnmatch_lines(["*test_convert*onnx* PASSED (cached 20*", "*onnx-cpu* PASSED (cached 20*"])
    assert packages[0] == packages[1] == packages[2]
    assert {"onnx/model.onnx", "onnx/reproduce_conversion.py", "onnx/format.log"} - CHANGING < packages[0][0].keys()
    with zipfile.ZipFile(pytester.path / "out.nav") as archive:
        assert b"convert.onnx: cached 20" in archive.read("onnx/format.log")


@pytest.mark.slow
def test_a_saved_model_that_is_written_anew_is_the_same_parent(pytester: pytest.Pytester, nav: Nav) -> None:
    pytest.importorskip("tf2onnx")
    pytester.makeconftest(KERAS)
    first, second = (nav("-v", "--nav-cache=cache", formats="onnx", subprocess=True) for _ in range(2))
    assert set(words(first).values()) == {"PASSED"}
    second.stdout.fnmatch_lines(["*test_convert*onnx* PASSED (cached 20*", "*onnx-cpu* PASSED (cached 20*"])
