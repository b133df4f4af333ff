"""What is missing of NVIDIA's libraries: asked in a process that an import may end, and said in one line."""

from __future__ import annotations

import importlib.util
import sys
from typing import TYPE_CHECKING

import pytest

from pytest_navigator.devices import libraries, requirements
from pytest_navigator.devices.libraries import missing
from pytest_navigator.devices.records import Devices, Gpu

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


OLD = Devices((Gpu("NVIDIA A100", 1, "8.0"),), "550.1", "12.4")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder in front of sys.path for modules and distributions of our own."""
    monkeypatch.syspath_prepend(str(tmp_path))
    libraries._installed.cache_clear()
    yield tmp_path
    libraries._installed.cache_clear()


def install(site: Path, module: str, code: str, distribution: str = "", version: str = "10.12.0.36") -> None:
    """Write a module, and the distribution that it is of."""
    path = site.joinpath(*module.split("."))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".py").write_text(code)
    if distribution:
        info = site / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")


FULL = "__version__ = '10.12.0.36'\nclass Builder: pass\n"


def test_full_tensorrt_is_used_where_it_can_be_imported(site: Path) -> None:
    install(site, "tensorrt", FULL, "tensorrt-cu12")

    assert missing("tensorrt") is None
    assert libraries.flavour() == ("tensorrt", "10.12.0.36")
    assert libraries.tensorrt_title() == "TensorRT 10.12.0.36"
    assert "tensorrt" not in sys.modules


BROKEN = {
    "an error": (
        "raise ImportError('libnvinfer.so.10: cannot open shared object file')",
        "cannot be used: ImportError: libnvinfer.so.10: cannot open shared object file (pip install tensorrt-cu13",
    ),
    "an abort": ("import os; os.abort()", "cannot be used: its import ended the process: SIGABRT (pip install"),
    "a crash": ("import ctypes; ctypes.string_at(0)", "cannot be used: its import ended the process: SIGSEGV (pip"),
    "the lean runtime": (
        "__version__ = '10.12.0.36'",
        "TensorRT 10.12.0.36 is one that builds no engines (pip install",
    ),
}


def test_a_tensorrt_that_does_not_obey_the_types_of_a_network_is_too_old(site: Path) -> None:
    install(site, "tensorrt", FULL.replace("10.12.0.36", "8.6.1"), "tensorrt-cu12", "8.6.1")

    found = str(missing("tensorrt"))
    assert found.startswith("TensorRT 8.6.1 is too old: 10.12 or a newer one is needed")
    assert "(pip install --upgrade tensorrt-cu12, which" in found


@pytest.mark.parametrize("name", BROKEN)
def test_a_tensorrt_that_cannot_be_used_says_why(site: Path, name: str) -> None:
    code, text = BROKEN[name]
    install(site, "tensorrt", code, "tensorrt-cu12")

    found = missing("tensorrt")

    assert found is not None
    assert found.startswith("TensorRT 10.12.0.36 ")
    assert text in found


def test_an_import_that_hangs_is_ended(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libraries, "LIMIT", 1.0)
    install(site, "torch_tensorrt", "import time; time.sleep(600)")

    assert str(missing("torch-tensorrt")).startswith(
        "Torch-TensorRT cannot be used: its import gave no answer within 1 s"
    )


def test_a_driver_that_is_older_than_tensorrt_is_said(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libraries, "devices", lambda: OLD)
    install(site, "tensorrt", FULL, "tensorrt-cu13")

    assert missing("tensorrt") == "the driver (CUDA 12.4) is older than TensorRT's CUDA 13"


def test_tensorrt_rtx_builds_without_a_driver_and_runs_with_one_that_is_new_enough(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(libraries, "devices", lambda: OLD)
    install(site, "tensorrt_rtx", "__version__ = '1.7.1.116'", "tensorrt-rtx-cu13", "1.7.1.116")

    assert missing("tensorrt-rtx") is None
    too_old = "the driver (CUDA 12.4) is older than TensorRT-RTX's CUDA 13"
    assert requirements.CHECKS["tensorrt-rtx-cuda"]() == too_old


def test_torch_tensorrt_may_raise_anything(site: Path) -> None:
    error = "import error when try to import _TensorRTProxyModule, got error Could not find libnvinfer.so.11"
    install(site, "torch_tensorrt", f"raise Exception({error!r})")

    assert str(missing("torch-tensorrt")).startswith(f"Torch-TensorRT cannot be used: Exception: {error} (pip install")


ONNXRUNTIME = "__version__ = '1.31.1'\ndef get_available_providers(): return ['TensorrtExecutionProvider']\n"


@pytest.mark.real_processes
def test_onnx_runtime_lists_a_provider_whose_library_is_missing(site: Path) -> None:
    install(site, "onnxruntime", ONNXRUNTIME)

    assert missing("onnxruntime-tensorrt") == (
        "ONNX Runtime 1.31.1 has no TensorRT 10: libnvinfer.so.10: cannot open shared object file: No such file or "
        "directory (pip install 'tensorrt-cu13<11', which fetches its libraries from NVIDIA's own index)"
    )


def test_an_onnx_runtime_without_tensorrt_is_replaced_and_not_joined(site: Path) -> None:
    install(site, "onnxruntime", ONNXRUNTIME.replace("TensorrtExecutionProvider", "CPUExecutionProvider"))

    assert missing("onnxruntime-tensorrt") == (
        "ONNX Runtime 1.31.1 was built without TensorRT (pip uninstall onnxruntime, then pip install onnxruntime-gpu: "
        "both fill one folder)"
    )


TF_TRT = "tensorflow.compiler.tf2tensorrt._pywrap_py_utils"
QUESTIONS = """
import os
def is_tensorrt_enabled(): return {enabled}
def get_linked_tensorrt_version(): return (8, 6, 1)
def get_loaded_tensorrt_version(): os.abort()
"""


@pytest.mark.parametrize(
    ("enabled", "text"),
    [
        (False, "TensorFlow 2.17.1 was built without TF-TRT (needs Linux, a TensorFlow <= 2.17 GPU wheel with"),
        (True, "TensorFlow 2.17.1 has no TensorRT: libnvinfer.so.8: cannot open shared object file"),
    ],
)
def test_tf_trt_is_asked_only_what_does_not_abort(site: Path, enabled: bool, text: str) -> None:
    install(site, TF_TRT, QUESTIONS.format(enabled=enabled))
    (site / "tensorflow" / "__init__.py").write_text("__version__ = '2.17.1'\n")

    assert str(missing("tf-trt")).startswith(text)


@pytest.mark.skipif(importlib.util.find_spec("tensorrt_rtx") is None, reason="TensorRT-RTX is not installed")
def test_the_real_tensorrt_rtx_can_be_used_without_a_gpu() -> None:
    assert missing("tensorrt-rtx") is None
    assert libraries.tensorrt_version("tensorrt_rtx")


@pytest.mark.parametrize("name", libraries.MODULES)
def test_what_is_not_installed_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(libraries, "find_spec", lambda module: None)

    text = missing(name)

    assert text == libraries.MODULES[name][1]
    assert "is not installed (pip install " in text
