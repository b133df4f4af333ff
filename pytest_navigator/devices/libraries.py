"""Which of NVIDIA's inference libraries can be used here, and what is missing of one that cannot."""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.metadata import distributions
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.version import Version

from pytest_navigator.devices import imports
from pytest_navigator.devices.present import devices
from pytest_navigator.devices.shared import once

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

OLDEST = Version("10.12")  # Of TensorRT: what obeys the types of a network
LIMIT = 180.0  # s; a framework on a network disk takes minutes

FULL = "pip install tensorrt-cu13, which fetches its libraries from NVIDIA's own index"
RTX = "pip install pytest-navigator[tensorrt-rtx]"
TEN = "pip install 'tensorrt-cu13<11', which fetches its libraries from NVIDIA's own index"
IN_ITS_PLACE = "pip uninstall onnxruntime, then pip install onnxruntime-gpu: both fill one folder"
TORCH = "pip install torch-tensorrt of the same minor version as torch, which needs TensorRT from NVIDIA's own index"
TF_TRT = "needs Linux, a TensorFlow <= 2.17 GPU wheel with TensorRT 8.6, or NVIDIA's TensorFlow container"

# Requirement -> the module that it is, and the text of its absence.
MODULES = {
    "tensorrt": ("tensorrt", f"TensorRT is not installed ({FULL})"),
    "tensorrt-rtx": ("tensorrt_rtx", f"TensorRT-RTX is not installed ({RTX})"),
    "onnxruntime-tensorrt": ("onnxruntime", "ONNX Runtime is not installed (pip install onnxruntime-gpu)"),
    "torch-tensorrt": ("torch_tensorrt", f"Torch-TensorRT is not installed ({TORCH})"),
    "tf-trt": ("tensorflow", f"TensorFlow is not installed (pip install 'tensorflow<2.18'; TF-TRT {TF_TRT})"),
}

# Flavour of TensorRT -> the names of its distributions, with the CUDA that they were built for.
FLAVOURS = {
    "tensorrt": re.compile(r"tensorrt(-cu(\d+))?(-libs|-bindings)?"),
    "tensorrt_rtx": re.compile(r"tensorrt-rtx(-cu(\d+))?(-libs|-bindings)?"),
}

TITLES = {"tensorrt": "TensorRT", "tensorrt_rtx": "TensorRT-RTX"}


def missing(name: str) -> str | None:
    """Return what is missing for one of the names of `MODULES`, None if it can be used. May take as long as an import.

    No library is imported in this process.
    """
    module, absent = MODULES[name]
    if find_spec(module) is None:
        return absent
    return PROBLEMS[name](once(f"import-{name}", lambda: _asked(name)))


def flavour() -> tuple[str, str] | None:
    """Return flavour ("tensorrt", else "tensorrt_rtx") and version of the TensorRT that is installed, None without one.

    Nothing is imported, so it need not work.
    """
    return next(((name, version) for name in FLAVOURS if (version := tensorrt_version(name))), None)


def tensorrt_version(flavour: str) -> str:
    """Return the version of an installed flavour, "" without it; nothing is imported."""
    return _installed(flavour)[0]


def tensorrt_title() -> str:
    """Return the TensorRT that is installed as people write it, "TensorRT-RTX 1.7.1.116"; "" without one."""
    found = flavour()
    return f"{TITLES[found[0]]} {found[1]}" if found else ""


def driver_problem(flavour: str) -> str | None:
    """Return that the driver is older than what this flavour was built for, None if it is not or there is none."""
    return devices().too_old(TITLES[flavour], _installed(flavour)[1])


@cache
def _installed(flavour: str) -> tuple[str, str]:
    """Return version and CUDA of a flavour, "" where they are not known; whatever its module says of itself."""
    version = cuda = ""
    if find_spec(flavour) is None:
        return "", ""
    for distribution in distributions():
        name = re.sub(r"[-_.]+", "-", distribution.metadata["Name"] or "").lower()
        if found := FLAVOURS[flavour].fullmatch(name):
            version, cuda = version or distribution.version, cuda or found[2] or ""
    return version, cuda


def _asked(name: str) -> dict[str, Any]:
    from pytest_navigator.devices.disposable import ProbeFailed, ask  # who loads a package, mostly asks nothing

    try:
        answer: dict[str, Any] = json.loads(ask(Path(imports.__file__), (name,), LIMIT))
    except ProbeFailed as failed:
        how = "its import gave" if failed.kind == "timeout" else "its import ended the process:"
        return {"error": f"{how} {failed}"}
    return answer


def _of_tensorrt(answer: Mapping[str, Any]) -> str | None:
    version = tensorrt_version("tensorrt")
    if "error" in answer:
        return f"TensorRT {version} cannot be used: {answer['error']} ({FULL})"
    if not answer["builds"]:
        return f"TensorRT {answer['version']} is one that builds no engines ({FULL})"
    if Version(answer["version"]) < OLDEST:
        return f"TensorRT {answer['version']} is too old: {OLDEST} or a newer one is needed ({_upgrade()})"
    return driver_problem("tensorrt")


def _upgrade() -> str:
    """Return how to get a newer TensorRT for the CUDA of the one that is installed: another one would lie beside it."""
    cuda = _installed("tensorrt")[1]
    return FULL.replace("pip install tensorrt-cu13", f"pip install --upgrade tensorrt-cu{cuda or 13}")


def _of_tensorrt_rtx(answer: Mapping[str, Any]) -> str | None:
    # Its driver does not matter here: it builds engines without one.
    name = f"TensorRT-RTX {tensorrt_version('tensorrt_rtx')}"
    return f"{name} cannot be used: {answer['error']} ({RTX})" if "error" in answer else None


def _of_onnxruntime(answer: Mapping[str, Any]) -> str | None:
    if "error" in answer:
        return f"ONNX Runtime cannot be used: {answer['error']}"
    if not answer["listed"]:
        return f"ONNX Runtime {answer['version']} was built without TensorRT ({IN_ITS_PLACE})"
    if answer["lacking"]:
        return f"ONNX Runtime {answer['version']} has no TensorRT 10: {answer['lacking']} ({TEN})"
    return None


def _of_torch_tensorrt(answer: Mapping[str, Any]) -> str | None:
    return f"Torch-TensorRT cannot be used: {answer['error']} ({TORCH})" if "error" in answer else None


def _of_tf_trt(answer: Mapping[str, Any]) -> str | None:
    if "error" in answer:
        return f"TF-TRT cannot be used: {answer['error']} ({TF_TRT})"
    if not answer["enabled"]:
        return f"TensorFlow {answer['version']} was built without TF-TRT ({TF_TRT})"
    if answer["lacking"]:
        return f"TensorFlow {answer['version']} has no TensorRT: {answer['lacking']} ({TF_TRT})"
    return None


# Requirement -> what is wrong with an answer of `imports`, None for nothing (pure but for what is installed).
PROBLEMS: dict[str, Callable[[Mapping[str, Any]], str | None]] = {
    "tensorrt": _of_tensorrt,
    "tensorrt-rtx": _of_tensorrt_rtx,
    "onnxruntime-tensorrt": _of_onnxruntime,
    "torch-tensorrt": _of_torch_tensorrt,
    "tf-trt": _of_tf_trt,
}
