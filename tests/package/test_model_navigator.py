"""Packages of ours in Model Navigator 0.14, and its packages in ours: `tox -e model-navigator` runs it for real."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
import pytest

import pytest_navigator as nav
from pytest_navigator.errors import PackageError

if TYPE_CHECKING:
    from pathlib import Path

if find_spec("model_navigator") is None:
    pytest.skip(
        "Model Navigator is not installed; tox -e model-navigator runs these tests with it", allow_module_level=True
    )

CONFTEST = """
import pytest
import torch


class Pair(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(5, 7)

    def forward(self, x, shift):
        return self.linear(x) + shift, x.sum(1)


@pytest.fixture(scope="session", params=["linear", "pair"])
def nav_model(request):
    torch.manual_seed(0)
    return torch.nn.Linear(5, 7).eval() if request.param == "linear" else Pair().eval()


@pytest.fixture(scope="session")
def nav_dataloader(nav_model):
    samples = [torch.randn(3, 5) for _ in range(4)]
    return samples if isinstance(nav_model, torch.nn.Linear) else [(x, torch.randn(3, 7)) for x in samples]
"""

THEIRS_READS = """
import sys
from pathlib import Path

import model_navigator as nav
import numpy as np


def feed(path):
    return {name: array[np.newaxis] for name, array in np.load(path).items()}


def main():
    workspace = Path(sys.argv[2])
    package = nav.package.load(sys.argv[1], workspace=workspace)
    assert package.config.target_device is nav.DeviceKind.CPU
    best = package.get_runner(include_source=False, device="cpu")
    print("best", package.get_best_runtime(include_source=False).model_status.model_config.key, best.name())
    for key, model in package.status.models_status.items():
        for name, runner in model.runners_status.items():
            if key == "torch" or str(runner.status.get("Correctness")) != "CommandStatus.OK":
                continue
            chosen = nav.SelectedRuntimeStrategy(model_key=key, runner_name=name)
            with package.get_runner(strategies=[chosen], include_source=False, device="cpu") as active:
                for path in sorted((workspace / "model_input/correctness").iterdir()):
                    found = active.infer(feed(path))
                    for output, expected in feed(workspace / "model_output/correctness" / path.name).items():
                        np.testing.assert_allclose(np.asarray(found[output]), expected, atol=1e-5)
            print("ran", key, name)


if __name__ == "__main__":
    main()
"""

FUNCTION = """
import numpy as np
import pytest_navigator as nav


def double(x):
    return x * 2


nav.python.optimize(double, [np.ones((rows, 3), np.float32) for rows in (1, 4)]).save("double.nav")
"""

THEIRS_RUNS_THE_FUNCTION = """
import sys

import model_navigator as nav
import numpy as np


def double(x):
    return x * 2


def main():
    package = nav.package.load(sys.argv[1], workspace=sys.argv[2])
    package.load_source_model(double)
    with package.get_runner(device="cpu") as runner:
        print(runner.name(), runner.infer({"x": np.ones((1, 3), np.float32)}))


if __name__ == "__main__":
    main()
"""

THEIRS_WRITES = """
import sys

import model_navigator as nav
import torch


def main():
    # Without this it measures no runner of torch where there is no GPU.
    torch.cuda.synchronize = lambda *args, **kwargs: None
    torch.manual_seed(0)
    package = nav.torch.optimize(
        model=torch.nn.Linear(5, 7).eval(),
        dataloader=[torch.randn(3, 5) for _ in range(4)],
        target_device=nav.DeviceKind.CPU,
        target_formats=(nav.Format.TORCHSCRIPT, nav.Format.TORCH_EXPORTEDPROGRAM, nav.Format.ONNX),
        # A figure that varies fails its run: on a busy machine all do.
        optimization_profile=nav.OptimizationProfile(batch_sizes=[1, 3], stability_percentage=100000.0),
        custom_configs=[
            config(autocast=False) for config in (nav.TorchConfig, nav.TorchScriptConfig, nav.TorchExportConfig)
        ],
        verify_func=lambda ours, source: True,
        workspace=sys.argv[2],
    )
    nav.package.save(package, sys.argv[1])


if __name__ == "__main__":
    main()
"""


def python(folder: Path, code: str, *args: str) -> str:
    """Run it as a process of its own: Model Navigator changes the logging and the warnings of the one it is in."""
    script = folder / "script.py"
    script.write_text(code)
    environment = {**os.environ, "NAVIGATOR_USE_MULTIPROCESSING": "False"}
    ran = subprocess.run(
        [sys.executable, str(script), *args], cwd=folder, env=environment, text=True, capture_output=True
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ours")
    (folder / "conftest.py").write_text(CONFTEST)
    command = [sys.executable, "-m", "pytest", "-q", "--nav-package={model}.nav", "--nav-runtimes=cpu"]
    ran = subprocess.run(command, cwd=folder, text=True, capture_output=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return folder


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("theirs")
    python(folder, THEIRS_WRITES, "out.nav", str(folder / "workspace"))
    return folder / "out.nav"


@pytest.mark.parametrize(
    ("model", "keys"),
    [
        ("linear", {"torchscript-script", "torchscript-trace", "onnx"}),
        ("pair", {"torchscript-script", "torchscript-trace", "torch-exportedprogram", "onnx"}),
    ],
)
def test_model_navigator_loads_a_package_of_ours_and_its_runners_give_the_recorded_outputs(
    ours: Path, tmp_path: Path, model: str, keys: set[str]
) -> None:
    (path,) = ours.glob(f"*{model}*.nav")
    lines = [line.split() for line in python(tmp_path, THEIRS_READS, str(path), str(tmp_path / "ws")).splitlines()]
    (best,) = (key for word, key, _ in lines if word == "best")
    assert best in keys
    assert {key for word, key, _ in lines if word == "ran"} == keys


def test_model_navigator_loads_a_package_of_a_function_and_runs_it(tmp_path: Path) -> None:
    python(tmp_path, FUNCTION)

    printed = python(tmp_path, THEIRS_RUNS_THE_FUNCTION, "double.nav", str(tmp_path / "ws"))

    assert printed.startswith("PythonRunner {'output__0': array([[2., 2., 2.]]")


@pytest.mark.parametrize("key", ["torchscript-script", "torchscript-trace", "onnx"])
def test_a_runner_of_a_package_of_model_navigator_gives_the_outputs_that_it_recorded(theirs: Path, key: str) -> None:
    with nav.load(theirs) as package, package.get_runner(key) as runner, zipfile.ZipFile(theirs) as archive:
        names = [name for name in archive.namelist() if name.startswith("model_input/correctness/")]
        assert len(names) == 4
        for name in names:
            with archive.open(name) as given, archive.open(name.replace("input", "output")) as expected:
                found = runner.infer({tensor: array[np.newaxis] for tensor, array in np.load(given).items()})
                for output, array in np.load(expected).items():
                    np.testing.assert_allclose(found[output][0], array, atol=1e-5)


def test_what_model_navigator_leaves_out_of_its_packages_is_named(theirs: Path) -> None:
    with nav.load(theirs) as package, pytest.raises(PackageError, match="torch-exportedprogram is not in it"):
        package.get_runner("torch-exportedprogram")


def test_a_package_of_model_navigator_has_its_status_figures_and_verifications(theirs: Path) -> None:
    with nav.load(theirs) as package:
        files = ("torchscript-script", "torchscript-trace", "torch-exportedprogram", "onnx")
        assert package.get_formats_status() == dict.fromkeys(("torch", *files), True)
        assert set(package.get_formats_performance()) == {"torch", *files}
        assert package.get_status("onnx", "CPUExecutionProvider")
        assert package.is_verified("onnx", "OnnxCPU")
        assert package.get_best(include_source=False).key in files


def test_a_package_of_model_navigator_is_saved_with_what_was_noted(theirs: Path, tmp_path: Path) -> None:
    with nav.load(theirs) as package:
        package.save(tmp_path / "copy.nav")
        status = package.get_formats_status()
    with nav.load(tmp_path / "copy.nav") as copy:
        assert copy.get_formats_status() == status
        assert copy.is_verified("onnx", "OnnxCPU")
