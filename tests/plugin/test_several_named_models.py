"""Several `--nav-model` in one run: each has its suite, and every `verify_` test runs for each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from blackbox import outcomes, status
from model_files import linear

from pytest_navigator.package.container.reader import open_package

if TYPE_CHECKING:
    from blackbox import Nav

VERIFY = """
import numpy as np

def verify_linearity(nav_runner):
    x = np.ones((1, 5), "float32")
    once, twice, zero = (nav_runner(x=n * x)["y"] for n in (1, 2, 0))
    np.testing.assert_allclose(twice - zero, 2 * (once - zero), rtol=1e-5)

def verify_the_source(nav_source_runner):
    assert nav_source_runner(x=np.zeros((1, 5), "float32"))["y"].shape == (1, 7)

def verify_the_folder(nav_package):
    with open("folders.txt", "a") as file:
        file.write(nav_package.name.partition("-")[0] + "\\n")
"""
BATCH = """
import numpy as np

def verify_a_batch_of_two(nav_runner):
    assert len(nav_runner(x=np.zeros((2, 5), "float32"))["y"]) == 2
"""
FUNCTIONS = """
import torch

def small() -> torch.nn.Module:
    return torch.nn.Linear(5, 2).eval()

class Family:
    @staticmethod
    def large() -> torch.nn.Module:
        return torch.nn.Linear(5, 20).eval()

def helper():
    return None
"""
DATA = "import torch\n\ndef loader():\n    return [torch.ones(n, 5) for n in (3, 6)]\n"
SIZES = """
import torch

def verify_the_size(nav_runner, nav_source_runner):
    x = torch.zeros(2, 5)
    assert nav_runner(x).shape == nav_source_runner(x).shape
    with open("sizes.txt", "a") as file:
        file.write(f"{nav_runner(x).shape[1]}\\n")
"""


@pytest.mark.parametrize("workers", [[], ["-n2"]], ids=["plain", "n2"])
def test_a_verify_test_runs_for_every_file(pytester: pytest.Pytester, nav: Nav, workers: list[str]) -> None:
    linear(pytester.path / "one.onnx")
    linear(pytester.path / "two.onnx", batch=1)
    pytester.makepyfile(test_quality=VERIFY)
    models = "--nav-model=one.onnx", "--nav-model=two.onnx"
    arguments = "-v", *models, "test_quality.py", "--nav-package={model}.nav", *workers
    result = nav(*arguments, formats="", subprocess=bool(workers))
    names = "one", "two"
    verified = {f"test_quality.py::verify_linearity[{name}-onnx-cpu]": "PASSED" for name in names}
    alone = {
        f"test_quality.py::{test}[{name}]": "PASSED"
        for test in ("verify_the_source", "verify_the_folder")
        for name in names
    }
    assert {k: v for k, v in outcomes(result).items() if k.startswith("test_quality")} == verified | alone
    assert sorted((pytester.path / "folders.txt").read_text().split()) == ["one", "two"]
    for name in names:
        runner = status(pytester.path / f"{name}.nav")["models_status"]["onnx"]["runners_status"]["OnnxCPU"]
        assert runner["status"]["VerifyModel"] == "OK"
        with open_package(pytester.path / f"{name}.nav") as package:
            assert package.complete


def test_one_model_of_several_that_is_wrong_fails_its_own_verify_test(pytester: pytest.Pytester, nav: Nav) -> None:
    linear(pytester.path / "one.onnx")
    linear(pytester.path / "two.onnx", batch=1)
    pytester.makepyfile(test_quality=BATCH)
    models = "--nav-model=one.onnx", "--nav-model=two.onnx"
    result = nav("-v", *models, "test_quality.py", "--nav-package={model}.nav", "--nav-in-process", formats="")
    assert outcomes(result)["test_quality.py::verify_a_batch_of_two[one-onnx-cpu]"] == "PASSED"
    assert outcomes(result)["test_quality.py::verify_a_batch_of_two[two-onnx-cpu]"] == "FAILED"


def test_files_of_one_name_are_told_apart_as_the_user_wrote_them(pytester: pytest.Pytester, nav: Nav) -> None:
    linear(pytester.path / "a" / "model.onnx")
    linear(pytester.path / "b" / "model.onnx")
    pytester.makepyfile(test_quality="def verify_it(nav_package): assert (nav_package / 'suite.json').is_file()\n")
    models = "--nav-model=a/model.onnx", "--nav-model=b/model.onnx"
    result = nav("-v", *models, "test_quality.py", "--nav-in-process", formats="")
    verified = {k: v for k, v in outcomes(result).items() if "verify" in k}
    assert verified == {f"test_quality.py::verify_it[{folder}/model.onnx]": "PASSED" for folder in "ab"}


def test_two_functions_of_one_file_are_two_suites(pytester: pytest.Pytester, nav: Nav) -> None:
    pytester.makepyfile(models=FUNCTIONS, data=DATA, test_quality=SIZES)
    models = "--nav-model=models:small", "--nav-model=models:Family.large", "--nav-dataloader=data:loader"
    result = nav("-v", *models, "test_quality.py", "--nav-package={model}.nav", subprocess=True)
    found = outcomes(result)
    generated = "test_source", "test_export[torchscript-trace]", "test_correctness[torch-cpu]"
    for part, name in (("small", "small"), ("Family.large", "large")):
        assert {found[f"models.py::{part}::nav_model::{test}"] for test in generated} == {"PASSED"}
        assert found[f"test_quality.py::verify_the_size[{name}-torchscript-trace-cpu]"] == "PASSED"
    assert set(found.values()) == {"PASSED"}
    assert sorted((pytester.path / "sizes.txt").read_text().split()) == ["2", "20"]
    one = nav("-v", *models, "models.py::small::nav_model::test_source", "--nav-in-process")
    assert outcomes(one) == {"models.py::small::nav_model::test_source": "PASSED"}


def test_one_function_twice_is_refused(pytester: pytest.Pytester, nav: Nav) -> None:
    pytester.makepyfile(models=FUNCTIONS)
    result = nav("--nav-model=models:small", "--nav-model=models:small")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --nav-model: small of *models.py is named twice: leave one of them out"])
