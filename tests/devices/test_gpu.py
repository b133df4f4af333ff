"""What only a machine with a GPU can show: `pytest -m gpu`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from pytest_navigator.devices.environment import environment
from pytest_navigator.devices.present import devices
from pytest_navigator.profiling.machine import gpu_clock
from pytest_navigator.profiling.memory import PeakMemory, free

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_navigator.core.records import ProfileResult

MIB = 2**20
PROJECT = """
import pytest, torch

@pytest.fixture(scope="session")
def nav_model() -> torch.nn.Module:
    return torch.nn.Linear(64, 64).eval(){place}

@pytest.fixture(scope="session")
def nav_dataloader():
    return [torch.randn(3, 64) for _ in range(4)]
"""
RUNNERS = {"TorchCUDA", "TorchScriptCUDA", "TorchExportedProgramCUDA"}

pytestmark = pytest.mark.gpu


def test_the_driver_describes_the_gpu() -> None:
    gpu = devices().gpus[0]

    assert gpu.name
    assert gpu.memory > 1000
    assert float(gpu.compute_capability) >= 5
    assert devices().cuda
    assert environment()["gpu"]["name"] == gpu.name


@pytest.mark.gpu("torch-cuda")
def test_what_the_driver_says_is_what_pytorch_says() -> None:
    import torch

    gpus = devices().gpus

    assert [gpu.name for gpu in gpus] == [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    assert gpus[0].compute_capability == ".".join(map(str, torch.cuda.get_device_capability(0)))


@pytest.mark.gpu("torch-cuda")
def test_memory_is_seen_and_given_back() -> None:
    import torch

    torch.zeros(1, device="cuda")
    memory = PeakMemory()
    held = torch.zeros(256 * MIB, dtype=torch.uint8, device="cuda")
    memory.sample()
    assert memory.peak is not None
    assert memory.peak >= 256

    del held
    free()
    assert torch.cuda.memory_reserved() < 256 * MIB
    clock = gpu_clock()
    assert clock is not None
    assert clock > 0


@pytest.mark.gpu("torch-cuda")
@pytest.mark.parametrize("place", ["", '.to("cuda")'])
def test_the_cuda_runners_of_pytorch_give_the_sources_numbers(pytester: pytest.Pytester, place: str) -> None:
    pytester.makeconftest(PROJECT.format(place=place))

    result = pytester.runpytest_subprocess(
        "--nav-package=out.nav",
        "--nav-formats=torchscript-trace,torch-exportedprogram",
        "--nav-runtimes=cuda",
        "--nav-profile-seconds=0.2",
    )

    assert result.ret == 0
    found = figures(pytester.path / "out.nav")
    assert found.keys() >= RUNNERS
    assert all(figure.peak_gpu_memory and figure.copy_latency for figure in found.values())


def check_engines(pytester: pytest.Pytester, form: str, runtimes: tuple[str, ...]) -> None:
    """Build engines of three precisions, run them in each runtime, and run one of them from the package."""
    pytester.makeconftest(PROJECT.format(place=""))
    keys = [f"{form}-{precision}" for precision in ("fp32", "fp16", "int8")]

    result = pytester.runpytest_subprocess(
        "--nav-package=out.nav",
        f"--nav-formats={','.join(keys)}",
        f"--nav-runtimes={','.join(('OnnxCPU', *runtimes))}",
        *(f"--nav-require={key}" for key in keys),
        "--nav-profile-seconds=0.2",
    )

    assert result.ret == 0
    found = figures(pytester.path / "out.nav")
    assert found.keys() == {"OnnxCPU", *runtimes}
    assert all(found[name].peak_gpu_memory and found[name].copy_latency for name in runtimes)
    assert_runs_from_package(pytester.path / "out.nav", keys[0], runtimes[0])


def assert_runs_from_package(path: Path, key: str, runner: str) -> None:
    import pytest_navigator as nav

    x = np.ones((3, 64), np.float32)
    with nav.load(path) as package:
        with package.get_runner(format="onnx", runtime="OnnxCPU") as source:
            (expected,) = source.infer({"input": x}).values()
        with package.get_runner(format=key, runtime=runner) as engine:
            (found,) = engine.infer({"input": x}).values()
    np.testing.assert_allclose(found, expected, rtol=1e-2, atol=1e-2)


@pytest.mark.gpu("tensorrt", "onnx", "onnxruntime", "polygraphy", "cuda-bindings")
def test_engines_of_tensorrt_give_the_sources_numbers(pytester: pytest.Pytester) -> None:
    check_engines(pytester, "trt", ("TensorRT", "TensorRTCUDAGraph"))


@pytest.mark.gpu("tensorrt-rtx", "tensorrt-rtx-cuda", "onnx", "onnxruntime", "polygraphy", "cuda-bindings")
def test_engines_of_tensorrt_rtx_give_the_sources_numbers(pytester: pytest.Pytester) -> None:
    check_engines(pytester, "trt-rtx", ("TensorRTRTX",))


def figures(path: Path) -> dict[str, ProfileResult]:
    """Return the last figures of each runner of a package."""
    from pytest_navigator.core.facts import profile_result
    from pytest_navigator.package.container.reader import open_package
    from pytest_navigator.package.layout.recorded import recorded

    with open_package(path) as package:
        profiles = [o for o in recorded(package).outcomes if o.step == "profile" and o.passed]
    return {outcome.runner: profile_result(outcome) for outcome in profiles}
