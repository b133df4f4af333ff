"""LiteRT in a run: from Keras in this Python, from PyTorch in one that has litert-torch; loaded in this one."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from blackbox import words

import pytest_navigator as nav_api
from pytest_navigator.errors import InputError
from tests.other_pythons import of_litert

if TYPE_CHECKING:
    from blackbox import Nav

pytest.importorskip("ai_edge_litert")

TORCH = """
import pytest, torch
from pytest_navigator import LiteRTConfig, NavConfig, QuantizationConfig

class Block(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.up, self.down = torch.nn.Linear(32, 96), torch.nn.Linear(96, 32)

    def forward(self, x):
        return x + self.down(torch.relu(self.up(x)))

class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.Embedding(50, 32)
        self.layers = torch.nn.ModuleList([Block(), Block()])
        self.head = torch.nn.Linear(32, 8)

    def forward(self, ids, mask):
        x = self.embedding(ids) * mask.unsqueeze(-1).float()
        for layer in self.layers:
            x = layer(x)
        return {"logits": self.head(x.mean(1)), "used": mask.sum(1)}

@pytest.fixture(scope="session")
def nav_model():
    torch.manual_seed(0)
    return Model().eval()

@pytest.fixture(scope="session")
def nav_dataloader():
    torch.manual_seed(1)
    return [(torch.randint(0, 50, (4, 6)), torch.ones(4, 6, dtype=torch.int64)) for _ in range(8)]

quantization = QuantizationConfig(exclude=["layers.1.down"], allow_slower=True, allow_larger=True)
nav_config = NavConfig(
    formats=[LiteRTConfig(precision="int8", quantization=quantization)],
    batch_sizes=[1, 2],
    input_names=["ids", "mask"],
)
"""

KERAS = """
import pytest, numpy as np

@pytest.fixture(scope="session")
def nav_model():
    import keras
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((16,)), keras.layers.Dense(128, "relu"), keras.layers.Dense(4)])

@pytest.fixture(scope="session")
def nav_dataloader():
    numbers = np.random.default_rng(0)
    return [numbers.standard_normal((3, 16)).astype("float32") for _ in range(4)]
"""


JAX = """
import numpy as np
import pytest

@pytest.fixture(scope="session")
def nav_model():
    import jax.numpy as jnp
    weights = np.random.default_rng(0).standard_normal((16, 64)).astype("float32")
    return lambda x, ids: jnp.tanh(x @ weights) + ids[:, None]

@pytest.fixture(scope="session")
def nav_dataloader():
    numbers = np.random.default_rng(0)
    return [(numbers.standard_normal((3, 16)).astype("float32"), np.arange(3, dtype="int32"))]
"""


def needs(*packages: str) -> None:
    """Skip a test without packages, which are not imported here: JAX ends the process that has TensorFlow's LiteRT."""
    for package in packages:
        if not find_spec(package):
            pytest.skip(f"{package} is not installed")


def run_scripts(package: Path, folder: Path, python: Path, names: dict[str, str]) -> None:
    """Run scripts of an unpacked package alone."""
    with zipfile.ZipFile(package) as packed:
        packed.extractall(folder)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    for name, said in names.items():
        assert "navigator" not in (folder / name).read_text(encoding="utf-8").split('"""')[2].replace(
            "pytest_navigator.backends.torch.flat", ""
        )
        ran = subprocess.run(
            [str(python), name], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, ran.stderr
        assert said in ran.stdout


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with litert-torch."""
    return of_litert(tmp_path_factory.mktemp("python") / "venv")


@pytest.fixture(scope="module")
def made(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package of a run with PyTorch, float and int8, and what the run wrote."""
    folder = tmp_path_factory.mktemp("litert")
    folder.joinpath("conftest.py").write_text(TORCH, encoding="utf-8")
    folder.joinpath("pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    options = ("-v", "--nav-package=out.nav", f"--nav-interpreter=litert={python}", "--nav-profile-seconds=0.1")
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    folder.joinpath("said.txt").write_text(ran.stdout + ran.stderr, encoding="utf-8")
    return folder


@pytest.mark.slow
def test_pytorch_is_converted_in_the_other_python_for_each_batch_size(made: Path) -> None:
    said = made.joinpath("said.txt").read_text(encoding="utf-8")
    for step in ("convert[litert]", "correctness[litert-cpu]", "convert[litert-int8]", "correctness[litert-int8-cpu]"):
        assert f"test_{step} PASSED" in said, said
    assert (
        "convert.litert: it takes batches of 1, 2, 4 alone; input ids is int32 in the file (int64 in the model); "
        "input mask is int32" in said
    )
    with nav_api.load(made / "out.nav") as package:
        found = package.results.made("litert-int8").data
    assert (found["quantized"]["quantized"], found["quantized"]["total"]) == (4, 5)
    assert found["quantized"]["excluded"] == ["layers.1.down"]


@pytest.mark.slow
def test_its_files_run_in_this_python_and_take_the_batches_that_were_made_alone(made: Path) -> None:
    ids, mask = np.arange(12).reshape(2, 6), np.ones((2, 6), np.int64)
    with (
        nav_api.load(made / "out.nav") as package,
        package.get_runner("litert", runtime="LiteRTCPU") as runner,
        package.get_runner("torch-exportedprogram") as other,
    ):
        found, wanted = runner.infer({"ids": ids, "mask": mask}), other.infer({"ids": ids, "mask": mask})
        np.testing.assert_allclose(found["logits"], wanted["logits"], atol=1e-5)
        assert (found["used"].dtype, found["used"].tolist()) == (np.int64, [6, 6])
        with pytest.raises(InputError, match="each takes the shapes that it was made for: batch1: "):
            runner.infer({"ids": ids[[0, 1, 0]], "mask": mask[[0, 1, 0]]})


@pytest.mark.slow
def test_its_scripts_run_alone(made: Path, python: Path, tmp_path: Path) -> None:
    conversion = {"litert-int8/reproduce_conversion.py": "written: litert-int8/reproduced.litert"}
    run_scripts(made / "out.nav", tmp_path / "there", python, conversion)
    correctness = {"litert/reproduce_correctness-litertcpu.py": "logits: max abs"}
    run_scripts(made / "out.nav", tmp_path / "here", Path(sys.executable), correctness)


@pytest.mark.slow
def test_keras_is_converted_in_this_python_and_its_scripts_run_alone(
    pytester: pytest.Pytester, nav: Nav, tmp_path: Path
) -> None:
    needs("tensorflow")
    pytester.makeconftest(KERAS)
    options = ("-v", "--nav-package=out.nav", "--nav-profile-seconds=0.05")
    found = words(nav(*options, formats="litert-int8", subprocess=True))
    for key in ("litert", "litert-int8"):
        assert found[f"test_convert[{key}]"] == found[f"test_correctness[{key}-cpu]"] == "PASSED"
    names = {
        "litert-int8/reproduce_conversion.py": "written: litert-int8/reproduced.litert",
        "litert-int8/reproduce_correctness-litertcpu.py": "max abs",
    }
    run_scripts(pytester.path / "out.nav", tmp_path / "unpacked", Path(sys.executable), names)


@pytest.mark.slow
def test_jax_is_converted_through_a_savedmodel(pytester: pytest.Pytester, nav: Nav) -> None:
    needs("jax", "tensorflow")
    pytester.makeconftest(JAX)
    found = words(nav("-v", "--nav-no-profile", formats="litert", subprocess=True))
    assert found["test_convert[litert]"] == found["test_correctness[litert-cpu]"] == "PASSED"


def test_without_litert_torch_its_conversion_is_skipped_with_the_way_out(linear: pytest.Pytester, nav: Nav) -> None:
    if find_spec("litert_torch"):
        pytest.skip("litert-torch is installed here")
    result = nav("-v", "-rs", "-k", "litert or source", formats="litert", subprocess=True)
    assert words(result)["test_convert[litert]"] == "SKIPPED"
    assert "--nav-interpreter=litert=litert/bin/python" in result.stdout.str()
