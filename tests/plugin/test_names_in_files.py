"""What a file or a model calls its inputs and outputs is a fact: one value twice, an output called like an input."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from blackbox import outcomes
from onnx import TensorProto as T
from onnx import helper as h

import pytest_navigator

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from blackbox import Nav

X = np.arange(6, dtype=np.float32).reshape(2, 3) - 2


def write(path: Path, outputs: list[str]) -> None:
    """Write a model of `y = relu(x)` and `z = y + y` that lists these among its outputs."""
    nodes = [h.make_node("Relu", ["x"], ["y"]), h.make_node("Add", ["y", "y"], ["z"])]
    values = {name: h.make_tensor_value_info(name, T.FLOAT, ["n", 3]) for name in ("x", *outputs)}
    graph = h.make_graph(nodes, "graph", [values["x"]], [values[name] for name in outputs])
    onnx.save(h.make_model(graph, opset_imports=[h.make_opsetid("", 17)], ir_version=9), path)


def suite_folder(pytester: pytest.Pytester) -> Path:
    """Return the one suite's folder in the workspace."""
    [record] = pytester.path.glob("navigator_workspace/*/suite.json")
    return record.parent


def run_scripts(folder: Path, what: str, of: str = "*") -> None:
    """Run the scripts of a kind, from a workspace's suite."""
    found = sorted(folder.glob(f"{of}/reproduce_{what}-*cpu.py"))
    assert found
    for script in found:
        subprocess.run([sys.executable, script, *ARGUMENTS[what]], cwd=folder, check=True, capture_output=True)


ARGUMENTS = {"correctness": [], "profiling": ["--seconds=0.01"]}

FILES = {
    "one output twice": (["y", "z", "y"], "", ["y", "z", "y__1"]),
    "an input among the outputs": (["y", "x"], "", ["y", "output__x"]),
    "both of it": (["x", "x"], "", ["output__x", "output__x__1"]),
    "other names": (
        ["y", "z"],
        "input_names=['features'], output_names=['positive', 'double']",
        ["positive", "double"],
    ),
    "names that change places": (["y", "z"], "output_names=['z', 'y']", ["z", "y"]),
    "the input's name for an output": (["y", "x"], "input_names=['y'], output_names=['x', 'same']", ["x", "same"]),
}


@pytest.mark.parametrize(("outputs", "config", "names"), FILES.values(), ids=FILES)
def test_an_onnx_file_passes_whatever_it_calls_its_outputs(
    outputs: list[str], config: str, names: list[str], pytester: pytest.Pytester, nav: Nav
) -> None:
    write(pytester.path / "model.onnx", outputs)
    pytester.makeconftest(f"from pytest_navigator import NavConfig\nnav_config = NavConfig({config})\n")
    args = ("--nav-model=model.onnx", "--nav-package=out.nav", "--nav-profile-seconds=0.05", "--nav-batch-sizes=1")
    found = outcomes(nav("-v", *args, formats="", profile=True))
    assert set(found.values()) == {"PASSED"}
    folder = suite_folder(pytester)
    for what in ARGUMENTS:
        run_scripts(folder, what)
    expected = {"x": X, "y": np.maximum(X, 0), "z": 2 * np.maximum(X, 0)}
    with pytest_navigator.load(pytester.path / "out.nav") as package, package.get_runner() as runner:
        [given] = runner.signature.inputs
        got = runner.infer({given.name: X})
        assert list(got) == names
        for name, own in zip(names, outputs, strict=True):
            np.testing.assert_array_equal(got[name], expected[own])


SAVED = """
import tensorflow as tf

class Model(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, name="x")])
    def __call__(self, x):
        y = tf.nn.relu(x)
        return {"y": y, "again": y, "x": x, "z": x + 1.0}

model = Model()
tf.saved_model.save(model, "saved", signatures=model.__call__)
"""


LOADED = """
import ast, sys
import numpy as np
import pytest_navigator

names, x = ast.literal_eval(sys.argv[1]), np.arange(6, dtype=np.float32).reshape(2, 3) - 2
expected = {"x": x, "y": np.maximum(x, 0), "again": np.maximum(x, 0), "z": x + 1}
for form in ("tf-savedmodel", "onnx"):
    with pytest_navigator.load("out.nav") as package, package.get_runner(form) as runner:
        [given] = runner.signature.inputs
        got, structured = runner.infer({given.name: x}), runner(x)
        for own, name in names.items():
            np.testing.assert_allclose(got[name], expected[own], rtol=1e-6)
            np.testing.assert_allclose(structured[own], expected[own], rtol=1e-6)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("config", "names"),
    [
        ("", {"y": "y", "again": "again", "x": "output__x", "z": "z"}),
        ("input_names=['f'], output_names=['z', 'x', 'y', 'a']", {"again": "z", "x": "x", "y": "y", "z": "a"}),
    ],
    ids=["its own names", "other names, some of which it has for others"],
)
def test_a_savedmodel_passes_in_both_formats_whatever_it_calls_its_outputs(
    config: str, names: dict[str, str], pytester: pytest.Pytester, nav: Nav
) -> None:
    subprocess.run([sys.executable, "-c", SAVED], cwd=pytester.path, check=True, capture_output=True)
    pytester.makeconftest(f"from pytest_navigator import NavConfig\nnav_config = NavConfig({config})\n")
    found = outcomes(nav("-v", "--nav-model=saved", "--nav-package=out.nav", formats=""))
    assert set(found.values()) == {"PASSED"}
    folder = suite_folder(pytester)
    run_scripts(folder, "correctness")
    subprocess.run([sys.executable, "-c", LOADED, repr(names)], cwd=pytester.path, check=True)


LIVE = """
class Model(torch.nn.Module):
    def forward(self, x):
        y = torch.relu(x)
        return {"y": y, "again": y, "x": x, "list": [y, x]}
"""


def test_a_live_torch_model_may_return_an_input_and_one_tensor_twice(
    project: Callable[..., None], pytester: pytest.Pytester, nav: Nav
) -> None:
    project(LIVE)
    formats = "torchscript-trace,torch-exportedprogram,onnx"
    args = ("--nav-package=out.nav", "--nav-profile-seconds=0.05", "--nav-batch-sizes=1")
    found = outcomes(nav("-v", *args, formats=formats, profile=True))
    assert set(found.values()) == {"PASSED"}
    folder = suite_folder(pytester)
    run_scripts(folder, "correctness", of="onnx")
    with pytest_navigator.load(pytester.path / "out.nav") as package, package.get_runner("onnx") as runner:
        wide = np.arange(10, dtype=np.float32).reshape(2, 5) - 2
        got = runner(x=wide)
        np.testing.assert_array_equal(got["list"][1], wide)
        np.testing.assert_array_equal(got["again"], np.maximum(wide, 0))


TORCH_FILES = """
import torch

class Model(torch.nn.Module):
    def forward(self, x):
        y = torch.relu(x)
        return y, x, y

model, x = Model().eval(), torch.randn(2, 3)
torch.jit.script(model).save("scripted.pt")
torch.export.save(torch.export.export(model, (x,), dynamic_shapes=({0: torch.export.Dim("n")},)), "exported.pt2")
"""


def test_files_of_torch_that_give_an_input_and_one_value_twice_pass_under_any_names(
    pytester: pytest.Pytester, nav: Nav
) -> None:
    script = pytester.makepyfile(write=TORCH_FILES)  # TorchScript reads the source
    subprocess.run([sys.executable, script], cwd=pytester.path, check=True, capture_output=True)
    config = "input_names=['features'], output_names=['positive', 'same', 'x']"
    pytester.makeconftest(f"from pytest_navigator import NavConfig\nnav_config = NavConfig({config})\n")
    models = ("--nav-model=scripted.pt", "--nav-model=exported.pt2", "--nav-inputs=x__0:-1,3:float32")
    found = outcomes(nav("-v", *models, "--nav-package={model}.nav", formats=""))
    assert set(found.values()) == {"PASSED"}, found
