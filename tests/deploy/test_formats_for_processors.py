"""Formats for processors and devices are served as others are: by `pytest-navigator serve`, and by Triton itself."""

from __future__ import annotations

import subprocess
import sys
import warnings
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
import pytest

import pytest_navigator as nav
from pytest_navigator.api.triton.model_repository import add_model_from_package
from pytest_navigator.backends.builtin import known
from pytest_navigator.core.steps import Status
from pytest_navigator.planning.groups import ALL, members
from tests.deploy.serving import serving
from tests.deploy.triton_server import tritonserver
from tests.once import once

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

SERVE = ("-m", "pytest_navigator", "serve")
LIBRARIES = {
    "onnx-int8": "onnxruntime",
    "openvino-int8": "openvino",
    "openvino-bf16": "openvino",
    "executorch": "executorch",
    "executorch-int8": "executorch",
    "aotinductor": "torch",
}
NEAR = 0.1  # Of outputs of about one, computed in eight bits
ROWS = np.random.default_rng(0).standard_normal((3, 64)).astype(np.float32)


def there() -> list[str]:
    """Return those that can be made here."""
    names = members(known(), "torch")[ALL]
    return [key for key, library in LIBRARIES.items() if key in names and find_spec(library)]


@pytest.fixture(scope="session")
def package(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package with all of them."""

    def make(folder: Path) -> None:
        import torch

        torch.manual_seed(0)
        layers = torch.nn.Linear(64, 128), torch.nn.ReLU(), torch.nn.Linear(128, 8)
        made = nav.torch.optimize(
            torch.nn.Sequential(*layers).eval(),
            [torch.randn(4, 64) for _ in range(8)],
            target_formats=tuple(there()),
            runners=("cpu",),
            input_names=["x"],
            atol=NEAR,
            optimization_profile=nav.OptimizationProfile(batch_sizes=(1, 4), max_trials=3),
            workspace=folder / "workspace",
        )
        made.save(folder / "out.nav")

    return once(request.config, tmp_path_factory, "formats_for_processors", make) / "out.nav"


KERAS = """
import keras, numpy as np, pytest_navigator as nav

keras.utils.set_random_seed(0)
layers = keras.layers.Dense(128, activation="relu"), keras.layers.Dense(8)
made = nav.tensorflow.optimize(
    keras.Sequential([keras.Input((64,), name="x"), *layers]),
    [np.random.default_rng(i).standard_normal((4, 64)).astype("float32") for i in range(8)],
    target_formats=("litert",),
    runners=("cpu",),
    optimization_profile=nav.OptimizationProfile(batch_sizes=(1, 4), max_trials=3),
    workspace="workspace",
)
made.save("out.nav")
"""


@pytest.fixture(scope="session")
def of_keras(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package with LiteRT's files, made where no PyTorch is loaded."""
    pytest.importorskip("ai_edge_litert", reason="LiteRT is not installed")
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")

    def make(folder: Path) -> None:
        ran = subprocess.run([sys.executable, "-c", KERAS], cwd=folder, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr

    return once(request.config, tmp_path_factory, "formats_of_keras", make) / "out.nav"


def wanted(package: Path, rows: np.ndarray) -> np.ndarray:
    """Return what the float ONNX of the package gives."""
    with nav.load(package) as opened, opened.get_runner("onnx") as runner:
        (found,) = runner.infer({"x": rows}).values()
    return found


def check_made(package: Path, key: str) -> None:
    """Skip what this machine cannot run, with the package's own reason."""
    if key not in there():
        pytest.skip(f"{LIBRARIES[key]} is not installed")
    with nav.load(package) as opened:
        checks = [o for name in opened.results.variant(key).runners if (o := opened.results.correctness(key, name))]
    if checks and all(check.status is Status.SKIPPED for check in checks):
        pytest.skip(checks[0].message)
    assert any(check.passed for check in checks), checks


def right(package: Path) -> list[str]:
    """Return the keys of those that passed."""
    with nav.load(package) as opened:
        return [key for key in there() if opened.get_status(key, runtime="cpu")]


@pytest.mark.parametrize("key", LIBRARIES)
def test_a_server_answers_with_the_numbers_of_the_format(package: Path, key: str) -> None:
    check_made(package, key)
    expected = wanted(package, ROWS)
    with serving(*SERVE, str(package), "--port=0", f"--format={key}", "--name=m") as server:
        for rows in (1, 3):
            (found,) = server.infer("m", {"x": ROWS[:rows]}).values()
            np.testing.assert_allclose(found, expected[:rows], atol=NEAR)
        lines = "\n".join(server.said)
    assert f"m: {key} on " in lines
    assert "requests joined up to 4 rows" in lines


def test_tritons_server_answers_with_the_numbers_of_each_format(
    package: Path, triton_python: Path, tmp_path: Path
) -> None:
    repository, expected = tmp_path / "models", wanted(package, ROWS)
    with nav.load(package) as opened, warnings.catch_warnings(action="ignore"):
        for key in right(package):
            add_model_from_package(repository, key, opened, format=key)
    with tritonserver(triton_python, repository, tmp_path / "server") as client:
        for key in right(package):
            text = (repository / key / "config.pbtxt").read_text("utf-8")
            assert ('backend: "onnxruntime"' if key.startswith("onnx") else 'backend: "python"') in text
            (found,) = client.infer(key, {"x": ROWS}).values()
            np.testing.assert_allclose(found, expected, atol=NEAR, err_msg=key)


def test_litert_is_asked_request_by_request_and_tells_which_batches_it_takes(
    of_keras: Path, triton_python: Path, tmp_path: Path
) -> None:
    with nav.load(of_keras) as opened, opened.get_runner("litert") as runner:
        expected = runner.infer({"x": ROWS[:1]})["output__0"]
        with warnings.catch_warnings(action="ignore"):
            add_model_from_package(tmp_path / "models", "m", opened, format="litert")
    with serving(*SERVE, str(of_keras), "--port=0", "--format=litert", "--name=m") as server:
        np.testing.assert_allclose(server.infer("m", {"x": ROWS[:1]})["output__0"], expected, atol=1e-6)
        with pytest.raises(AssertionError, match=r"400.*each takes the shapes that it was made for: .*\(4, 64\)"):
            server.infer("m", {"x": ROWS})
    assert "requests one by one" in "\n".join(server.said)
    with tritonserver(triton_python, tmp_path / "models", tmp_path / "server") as client:
        np.testing.assert_allclose(client.infer("m", {"x": ROWS[:1]})["output__0"], expected, atol=1e-6)


def test_a_package_is_checked_again_on_another_machine(package: Path) -> None:
    keys = right(package)
    with nav.load(package, retest_conversions=True, run_profiling=False) as again:
        status = again.get_formats_status()
    assert {key: status.get(key) for key in keys} == dict.fromkeys(keys, True)
