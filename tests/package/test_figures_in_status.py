"""What people calculate with is a number that is not negative, or the package is refused with the value's path."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING, Any

import pytest

import pytest_navigator as nav
from pytest_navigator.errors import PackageError
from pytest_navigator.package.container.writer import pack
from tests.package.commands import command
from tests.package.tampered import put, tampered

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

STEP = ("steps", "profile.torch.TorchCPU.batch1")
CHECKED = ("steps", "correctness.torch.TorchCPU")
NAMED = "status.yaml: $.pytest_navigator.steps['profile.torch.TorchCPU.batch1'].data"


@pytest.fixture
def package(workspace: Callable[..., Path], tmp_path: Path) -> Path:
    return pack(workspace(), tmp_path / "out.nav", environment={})


@pytest.mark.parametrize("name", ["avg_latency", "std_latency", "p50_latency", "p99_latency", "throughput"])
@pytest.mark.parametrize(
    ("value", "problem"), [(None, "expected a number"), ("x", "expected a number"), (-1, "-1 is negative")]
)
def test_a_figure_that_is_none_is_named(package: Path, name: str, value: Any, problem: str) -> None:
    evil = tampered(package, put(*STEP, "data", "result", name, value=value))

    with pytest.raises(PackageError, match=re.escape(f"{NAMED}.result.{name}: {problem}")):
        nav.load(evil)
    assert f"{NAMED}.result.{name}: {problem}" in command("show", evil).err


@pytest.mark.parametrize(
    ("place", "value", "problem"),
    [
        ((*STEP, "data"), {}, "['profile.torch.TorchCPU.batch1'].data.result: required field missing"),
        ((*STEP, "data", "result"), {}, "].data.result.batch_size: required field missing"),
        ((*STEP, "duration"), -3.0, "['profile.torch.TorchCPU.batch1'].duration: -3.0 is negative"),
        ((*CHECKED, "data", "outputs", 0, "atol"), "x", ".data.outputs[0].atol: expected float"),
        ((*CHECKED, "data", "rules"), {"output__0": {}}, ".data.rules['output__0'].kind: required field missing"),
        ((*CHECKED, "data", "rules"), {"a": {"kind": "close", "axis": "x"}}, ".data.rules['a'].axis: expected tuple"),
        ((*STEP, "data", "result", "latencies"), [1, "x"], "].data.result.latencies[1]: expected float"),
        (
            ("steps", "source", "data", "brought_built_with"),
            {"trt-fp16": {"gpu": "A"}},
            "steps['source'].data.brought_built_with['trt-fp16'].compute_capability: required field missing",
        ),
        (
            ("steps", "source", "data", "selection", "profiling"),
            "first",
            "steps['source'].data.selection.profiling: expected int",
        ),
        (("steps", "export.onnx", "data", "opset"), "18", "steps['export.onnx'].data.opset: expected int"),
        (("steps", "export.onnx", "data", "declined"), {"trace": 3}, ".data.declined['trace']: expected str"),
        (("suite", "steps"), None, "$.pytest_navigator.suite.steps: expected tuple"),
        (("suite",), None, "$.pytest_navigator.suite: expected Suite"),
        ((*CHECKED,), "passed", "$.pytest_navigator.steps['correctness.torch.TorchCPU']: expected Step"),
    ],
)
def test_another_wrong_value_is_named(package: Path, place: tuple[str | int, ...], value: Any, problem: str) -> None:
    with pytest.raises(PackageError, match=re.escape(problem)):
        nav.load(tampered(package, put(*place, value=value)))


@pytest.mark.parametrize("value", [float("inf"), float("nan"), 0, 0.0])
def test_a_figure_may_be_any_other_number(package: Path, value: float) -> None:
    with nav.load(tampered(package, put(*STEP, "data", "result", "p50_latency", value=value))) as opened:
        assert opened.get_formats_performance()["torchscript-trace"] == 2.0


def test_figures_of_model_navigator_are_held_to_the_same(package: Path) -> None:
    def change(status: dict[str, Any]) -> None:
        del status["pytest_navigator"]
        _rows(status)[0]["throughput"] = -1.0

    where = "$.models_status['torch'].runners_status['TorchCPU'].result['Performance'].profiling_results[0].throughput"
    with pytest.raises(PackageError, match=re.escape(f"{where}: -1.0 is negative")):
        nav.load(tampered(package, change))


def test_a_batch_size_of_model_navigator_without_throughput_has_no_figures(package: Path, tmp_path: Path) -> None:
    def change(status: dict[str, Any]) -> None:
        del status["pytest_navigator"]
        _rows(status)[0]["throughput"] = None

    shutil.move(tampered(package, change), tmp_path / "theirs.nav")
    with nav.load(tmp_path / "theirs.nav") as opened:
        assert "torch" not in opened.get_formats_performance()
        assert opened.get_formats_performance()["torchscript-trace"] == 2.0


def _rows(status: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = status["models_status"]["torch"]["runners_status"]["TorchCPU"]["result"][
        "Performance"
    ]["profiling_results"]
    return found
