"""A machine that only serves: numpy, the runtime, and of what we depend on no more than what reads a package."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
from importlib.metadata import Distribution, distribution, packages_distributions
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

pytestmark = pytest.mark.real_processes

HIDDEN = {
    *("_pytest", "filelock", "jax", "keras", "onnx", "onnxscript", "openvino", "pluggy", "polygraphy", "psutil"),
    *("pytest", "pytest_benchmark", "tensorflow", "tomlkit", "torch", "xdist"),
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
    assert modules >= {"numpy", "onnxruntime"}


ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8").partition("## A machine that only serves")[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def closure(requirements: Iterable[str]) -> Iterator[Distribution]:
    """Yield the distributions that pip would install, of those that are installed here."""
    left, seen = [Requirement(text) for text in requirements], set()
    while left:
        wanted = left.pop()
        if wanted.name not in seen and (wanted.marker is None or wanted.marker.evaluate({"extra": ""})):
            seen.add(wanted.name)
            yield (found := distribution(wanted.name))
            left += [Requirement(text) for text in found.requires or ()]


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with what `pip install pytest-navigator onnxruntime` installs: links to it."""
    folder = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    site = Path(sysconfig.get_path("purelib", "venv", {"base": str(folder), "platbase": str(folder)}))
    for found in closure([*PROJECT["dependencies"], "onnxruntime"]):
        for top in {file.parts[0] for file in found.files or ()} - {"..", "__pycache__"}:
            if not (site / top).exists():
                (site / top).symlink_to(str(found.locate_file(top)))
    (site / "pytest_navigator").symlink_to(ROOT / "pytest_navigator")
    own = site / f"pytest_navigator-{distribution('pytest-navigator').version}.dist-info"
    own.mkdir()
    (own / "METADATA").write_text("Metadata-Version: 2.4\nName: pytest-navigator\nVersion: 0\n")
    (own / "entry_points.txt").write_text("[pytest11]\nnavigator = pytest_navigator.plugin\n")
    return folder / "bin" / "python"


@pytest.mark.slow
def test_the_base_and_a_runtime_are_enough_to_serve(bare: Path, pair: Path) -> None:
    name, modules = served(str(bare), pair)

    assert name == "onnx/OnnxCPU"
    assert modules & {*packages_distributions(), "pytest_navigator"} == {
        *("attr", "attrs", "cattrs", "ml_dtypes", "numpy", "onnxruntime", "packaging", "pytest_navigator"),
        *("typing_extensions", "yaml"),
    }


def test_the_page_says_what_each_dependency_is_for() -> None:
    rows = re.findall(r"^\| `([\w.-]+)` \|.*\| (yes|no) \|$", PAGE, re.MULTILINE)

    assert {name for name, _ in rows} == {Requirement(text).name for text in PROJECT["dependencies"]}
    assert {name for name, imported in rows if imported == "no"} <= HIDDEN


@pytest.mark.slow
def test_the_code_of_the_page_works_there(bare: Path, pair: Path, tmp_path: Path) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    (tmp_path / "out.nav").symlink_to(pair)

    subprocess.run([bare, "-W", "error", "-c", code], cwd=tmp_path, check=True)


CHECKED = """
import numpy as np, pytest

@pytest.fixture
def nav_model():
    return lambda x: x + 1

@pytest.fixture
def nav_dataloader():
    return [np.ones((2, 3), "float32")]
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 0, "package: out.nav"),
        (("--benchmark-json=x",), 4, "--benchmark-json: pytest-benchmark is not installed (pip install"),
    ],
)
def test_the_base_is_enough_to_check(bare: Path, tmp_path: Path, arguments: tuple[str], code: int, said: str) -> None:
    (tmp_path / "conftest.py").write_text(CHECKED)
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTEST_ADDOPTS")}
    command = [bare, "-m", "pytest", "--nav-package=out.nav", "--nav-profile-seconds=0.05", *arguments]

    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == code, done.stdout
    assert said in done.stdout + done.stderr
