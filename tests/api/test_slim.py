"""A machine that only serves: numpy, the runtime, and of what we depend on no more than what reads a package."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

HIDDEN = {
    *("_pytest", "filelock", "jax", "keras", "onnx", "onnxscript", "openvino", "pluggy", "polygraphy", "psutil"),
    *("pytest", "pytest_benchmark", "tensorflow", "torch", "xdist"),
}
"""What is installed where the tests run, and need not be where a model is served."""

HIDE = f"""
import sys
from importlib.machinery import PathFinder

class WithoutThem(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in {HIDDEN!r} else super().find_spec(name, path, target)

sys.meta_path = [WithoutThem if finder is PathFinder else finder for finder in sys.meta_path]
"""

SERVE = """
import io, json, sys, zipfile
import numpy as np
import pytest_navigator as nav

def sample(kind):
    with zipfile.ZipFile(sys.argv[1]) as file:
        return dict(np.load(io.BytesIO(file.read(f"{kind}/batches/0.npz"))))

with nav.load(sys.argv[1]) as package, package.get_runner() as runner:
    outputs, expected = runner.infer(sample("model_input")), sample("model_output")
    assert outputs.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_allclose(outputs[name], array, rtol=1e-5, atol=1e-6)
    print(json.dumps([runner.name, sorted({name.partition(".")[0] for name in sys.modules})]))
"""


def served(python: str, package: Path, before: str = "") -> tuple[str, set[str]]:
    """Return the name of the runner, and what was imported, of a process that serves one request."""
    bare = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment = os.environ if before else bare
    command = [python, "-W", "error", "-c", before + SERVE, str(package)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    name, modules = json.loads(done.stdout)
    return name, set(modules)


def test_a_package_is_served_where_only_the_runtime_is_installed(pair: Path) -> None:
    name, modules = served(sys.executable, pair, HIDE)

    assert name == "onnx/OnnxCPU"
    assert modules - sys.stdlib_module_names >= {"attrs", "cattrs", "ml_dtypes", "numpy", "onnxruntime", "yaml"}
