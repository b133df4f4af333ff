"""A model file is checked with no code: `--nav-model=FILE`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from blackbox import outcomes
from blackbox import status
from model_files import linear

from pytest_navigator.package import open_package

if TYPE_CHECKING:
    from collections.abc import Callable

    Nav = Callable[..., pytest.RunResult]

FILE = "linear.onnx::nav_model::"
ONNX = {f"{FILE}test_source": "PASSED", f"{FILE}test_correctness[onnx-cpu]": "PASSED"}
PROFILES = {f"{FILE}test_profile[onnx-cpu-{batch}]": "PASSED" for batch in ("batch1", "batchmax")}


@pytest.fixture
def onnx_file(pytester: pytest.Pytester) -> None:
    linear(pytester.path / "linear.onnx")


@pytest.mark.usefixtures("onnx_file")
def test_an_onnx_file_is_checked_timed_and_packed_without_any_code(pytester: pytest.Pytester, nav: Nav) -> None:
    result = nav(
        "-v", "--nav-model=linear.onnx", "--nav-package=out.nav", "--nav-profile-seconds=0.2", formats="", profile=True
    )
    assert outcomes(result) == ONNX | PROFILES
    with open_package(pytester.path / "out.nav") as package:
        package.verify()
        assert package.complete
    said = status(pytester.path / "out.nav")
    assert said["models_status"]["onnx"]["runners_status"]["OnnxCPU"]["status"]["Correctness"] == "OK"
    assert said["input_metadata"]["metadata"][0]["shape"] == [-1, 5]
    assert said["pytest_navigator"]["suite"]["framework"] == "onnx"


@pytest.mark.usefixtures("onnx_file")
def test_the_file_is_the_only_argument_if_none_is_given_and_one_more_otherwise(
    pytester: pytest.Pytester, nav: Nav
) -> None:
    pytester.makepyfile(test_mine="def test_mine(): pass")
    alone = nav("-v", "--nav-model=linear.onnx", "--nav-in-process", formats="")
    assert outcomes(alone) == ONNX
    both = nav("-v", "--nav-model=linear.onnx", "test_mine.py", "--nav-in-process", formats="")
    assert outcomes(both) == ONNX | {"test_mine.py::test_mine": "PASSED"}
    everything = nav("-v", "--nav-model=linear.onnx", ".", "--nav-in-process", formats="")
    assert outcomes(everything) == outcomes(both)
