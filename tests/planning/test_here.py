"""Which cells a machine without a GPU leaves out: all that nobody has named."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from pytest_navigator import NavConfig, OnnxConfig, TensorRTConfig, plugin
from pytest_navigator.configuration.settings import resolve
from pytest_navigator.core.steps import KINDS
from pytest_navigator.planning.building import build
from pytest_navigator.planning.here import Here, at_home
from pytest_navigator.plugin.run import registry_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_navigator.formats.registry import Registry
    from pytest_navigator.planning.matrix import Matrix

    Left = Callable[..., Matrix]

ON_CPU = ["torch", "torchscript-script", "torchscript-trace", "torch-exportedprogram", "onnx"]


@pytest.fixture
def registry() -> Registry:
    hook = SimpleNamespace(
        pytest_nav_formats=lambda: [plugin.pytest_nav_formats()],
        pytest_nav_runners=list,
        pytest_nav_frameworks=lambda: [plugin.pytest_nav_frameworks()],
    )
    return registry_of(SimpleNamespace(hook=hook))  # type: ignore[arg-type]


@pytest.fixture
def left(registry: Registry) -> Left:
    """Return what a machine without CUDA keeps of the suite of a model."""

    def limited(
        *pointed: str, framework: str = "torch", unasked: tuple[str, ...] = (), lacking: str = "cuda", **config: object
    ) -> Matrix:
        settings = resolve({}, {}, NavConfig(**config))
        whole = build(settings, registry, framework, frozenset(unasked))
        return at_home(whole, Here((lacking,) if lacking else (), pointed), settings, registry, frozenset(unasked))

    return limited


def devices(matrix: Matrix) -> set[str]:
    return {matrix.runners[runner].device for _, runner in matrix.cells}


def test_what_only_a_gpu_runs_is_left_out_and_counted(left: Left) -> None:
    matrix, whole = left(), left(lacking="")
    assert list(matrix.variants) == ON_CPU
    assert devices(matrix) == {runner.device for runner in matrix.runners.values()} == {"cpu"}
    assert matrix.elsewhere == {"cuda": len(whole.steps()) - len(matrix.steps())}
    assert set(matrix.steps()) < set(whole.steps())
    assert whole.elsewhere == {}


@pytest.mark.parametrize("framework", ["torch", "jax", "tensorflow", "onnx", "python"])
def test_what_is_left_is_whole(left: Left, framework: str) -> None:
    matrix = left(framework=framework)
    assert devices(matrix) == {"cpu"}
    assert {step for each in matrix.steps() for step in matrix.needs(each)} <= set(matrix.steps())


@pytest.mark.parametrize(
    "config",
    [
        {"formats": ["trt-fp16", "onnx"]},
        {"formats": [OnnxConfig(), TensorRTConfig(precision=("fp16",))]},
        {"require": ["trt-fp16"]},
        {"require": ["trt-fp16-tensorrt"]},
        {"xfail": {"trt-fp16": "a layer that TensorRT has not"}},
        {"xfail": {"trt-fp16-tensorrt": "overflows"}},
        {"precisions": ["fp16"]},
        {"runtimes": ["cpu", "tensorrt"]},
        {"runtimes": ["OnnxCPU", "TensorRT"]},
    ],
    ids=str,
)
def test_what_somebody_named_stays(left: Left, config: dict[str, object]) -> None:
    matrix = left(**config)
    assert ("trt-fp16", "TensorRT") in matrix.cells
    assert "trt-fp16" in [key for key, *_ in matrix.each(KINDS["convert"])]
    assert ("onnx", "OnnxCUDA") not in matrix.cells


@pytest.mark.parametrize("name", ["OnnxCUDA", "cuda"])
def test_a_runtime_that_somebody_named_stays(left: Left, name: str) -> None:
    assert ("onnx", "OnnxCUDA") in left(runtimes=[name]).cells


def test_a_required_cell_stays_without_the_others_of_its_format(left: Left) -> None:
    matrix = left(require=["onnx-cuda"])
    assert [runner for key, runner in matrix.cells if key == "onnx"] == ["OnnxCPU", "OnnxCUDA"]


def test_a_named_format_that_runs_here_keeps_the_runners_that_are_here(left: Left) -> None:
    assert left(formats=["onnx"]).cells == (("torch", "TorchCPU"), ("torch", "TorchCompileCPU"), ("onnx", "OnnxCPU"))


def test_a_format_that_a_function_names_for_its_caller_is_named_by_nobody(left: Left) -> None:
    names = ("torchscript", "onnx", "trt")
    assert set(left(formats=names, unasked=names).variants) == {*ON_CPU} - {"torch-exportedprogram"}


@pytest.mark.parametrize(
    "pointed", ["trt-fp16", "trt-fp16-tensorrt", "trt-fp16-tensorrt-batch1", "a-trt-fp16-tensorrt"]
)
def test_an_item_that_an_argument_names_is_there(left: Left, pointed: str) -> None:
    matrix = left(pointed)
    assert ("trt-fp16", "TensorRT") in matrix.cells
    assert ("trt-fp32", "TensorRT") not in matrix.cells


def test_a_source_that_only_a_gpu_runs_stays(left: Left) -> None:
    matrix = left(framework="trt")
    assert matrix.cells
    assert devices(matrix) == {"cuda"}


def test_what_is_made_only_for_what_is_left_out_is_left_out_too(left: Left) -> None:
    """The parent of a format that nobody named by a function's default."""
    assert list(left(formats=["trt"], unasked=("trt",)).variants) == ["torch"]
    assert list(left(formats=["trt"]).variants) == ["torch", "onnx", "trt-fp32", "trt-fp16"]
