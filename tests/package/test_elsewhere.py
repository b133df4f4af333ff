"""What differs between the machine that checked a runner and this one is named when the runner is asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

import pytest_navigator as nav
from pytest_navigator.core.variants import RunnerRecord
from pytest_navigator.package.query.other_machines import differences, different
from tests.package.recorded import correctness, results

if TYPE_CHECKING:
    from pathlib import Path

THEN = {
    "python_packages": {"torch": "2.13.0+cpu", "tensorflow_cpu": "2.21.0", "numpy": "1.0"},
    "gpu": {"name": "H200", "driver_version": "570.1", "cuda_version": "12.8"},
}
ONNX = RunnerRecord("OnnxCPU", "cpu", "onnx", "cpu", False, "a:b", ("onnxruntime",))


def test_only_what_the_runner_needs_counts_and_not_the_build() -> None:
    here = {"python_packages": {"torch": "2.13.0+cu128", "tensorflow": "2.22.0", "numpy": "2.0"}, "gpu": None}

    assert different(THEN, here, ["torch"], on_gpu=False) == []
    assert different(THEN, here, ["torch", "tensorflow"], on_gpu=False) == ["tensorflow 2.21.0, here 2.22.0"]
    assert different(THEN, {}, ["torch"], on_gpu=False) == ["torch 2.13.0, here none"]
    assert different({}, here, ["torch"], on_gpu=True) == []


def test_a_runner_of_a_gpu_depends_on_gpu_driver_and_cuda() -> None:
    here = {**THEN, "gpu": {"name": "L4", "driver_version": "570.1", "cuda_version": "12.9"}}

    assert different(THEN, here, ["torch"], on_gpu=True) == ["GPU H200, here L4", "CUDA 12.8, here 12.9"]


def test_in_a_merged_package_the_machine_counts_that_checked_the_runner() -> None:
    def record(version: str) -> dict[str, object]:
        return {"environment": {"python_packages": {"onnxruntime": version}}}

    check = replace(correctness("onnx", "OnnxCPU"), data={"machine": "b"})
    merged = replace(results([check]), machines={"a": record("0.1"), "b": record("0.2")})

    (found,) = differences(merged, record("0.3"), "onnx", ONNX)
    assert found.startswith("onnxruntime 0.2, here ")


def test_a_runner_that_was_checked_with_another_version_warns(pair: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with nav.load(pair) as package:
        package.get_runner("onnx")  # made here: a warning would be an error
        monkeypatch.setitem(package.status["environment"]["python_packages"], "onnxruntime", "1.0.0")

        with pytest.warns(UserWarning, match=r"onnx on OnnxCPU was checked elsewhere: onnxruntime 1\.0\.0, here \d"):
            package.get_runner("onnx")
