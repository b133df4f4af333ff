"""What a step may need of a machine, by name, and whether it is there."""

from __future__ import annotations

import importlib.util
import platform
import shutil
from contextlib import suppress
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, metadata
from typing import TYPE_CHECKING

from pytest_navigator.devices import libraries
from pytest_navigator.devices.present import devices

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MODULES = {
    "jax": "JAX is not installed (pip install pytest-navigator[jax])",
    "jax2onnx": "jax2onnx is not installed (pip install pytest-navigator[jax])",
    "torch": "PyTorch is not installed (pip install pytest-navigator[torch])",
    "onnx": "onnx is not installed (pip install pytest-navigator[onnx])",
    "onnxscript": "onnxscript is not installed (pip install pytest-navigator[onnx])",
    "onnxruntime": "ONNX Runtime is not installed (pip install pytest-navigator[onnx])",
    "tensorflow": "TensorFlow is not installed (pip install pytest-navigator[tensorflow])",
    "tf2onnx": "tf2onnx is not installed (pip install pytest-navigator[tensorflow])",
    "ai_edge_litert": "LiteRT is not installed (pip install ai-edge-litert)",
    "litert_torch": "litert-torch is not installed: it pins typing-extensions below 4.13, of which others need a newer "
    "one; make an environment for it (python -m venv litert; litert/bin/pip install pytest-navigator[litert]) and name "
    "its Python: --nav-interpreter=litert=litert/bin/python",
    "nncf": "nncf is not installed (pip install pytest-navigator[openvino])",
    "polygraphy": "Polygraphy is not installed (pip install polygraphy)",
}


def missing(names: Iterable[str]) -> str | None:
    """Return the text of the first requirement that this machine does not meet, None when it meets all.

    May import a framework and ask a driver: call it in the child.
    """
    return next((text for name in names if (text := _check(name))), None)


def not_installed(names: Iterable[str]) -> str:
    """Return the text of the first library that is not installed, "" if all are; nothing is imported or asked."""
    return next((_absent(name) for name in names if (m := module_of(name)) and not _installed(m)), "")


@cache
def _check(name: str) -> str | None:
    if name in CHECKS:
        return CHECKS[name]()
    return None if _installed(name) else _absent(name)


def _absent(name: str) -> str:
    module = module_of(name)
    own = libraries.MODULES.get(name)
    return own[1] if own else MODULES.get(module) or f"{module} is not installed{_extra(module)}"


def _extra(name: str) -> str:
    """Return how to install a package that an extra of ours is called after; "" without one."""
    with suppress(PackageNotFoundError):  # a checkout that nobody has installed
        if name in (metadata("pytest-navigator").get_all("Provides-Extra") or ()):
            return f" (pip install pytest-navigator[{name}])"
    return ""


def _installed(name: str) -> bool:
    # One that is found and cannot be imported is not missing: that fails the step.
    try:
        return importlib.util.find_spec(name) is not None
    except ValueError:  # it is imported, or half of it, without saying from where
        return True


def _torch_cuda() -> str | None:
    import torch

    if torch.cuda.is_available():
        return None
    old = devices().too_old(f"PyTorch {torch.__version__}", torch.version.cuda or "")
    return old or f"PyTorch {torch.__version__} cannot use CUDA here"


def _onnxruntime_cuda() -> str | None:
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        built_for = getattr(onnxruntime, "cuda_version", "")  # wheels for processors do not have it
        return devices().too_old(f"ONNX Runtime {onnxruntime.__version__}", built_for)
    return f"ONNX Runtime {onnxruntime.__version__} was built without CUDA (pip install onnxruntime-gpu)"


def _jax_cuda() -> str | None:
    import jax

    try:
        return None if jax.local_devices(backend="cuda") else "JAX sees no CUDA device"
    except RuntimeError:
        return f"JAX {jax.__version__} cannot use CUDA here (pip install 'jax[cuda13]')"


def _tensorflow_cuda() -> str | None:
    import tensorflow as tf

    return None if tf.config.list_physical_devices("GPU") else f"TensorFlow {tf.__version__} cannot use CUDA here"


def _cuda_bindings() -> str | None:
    try:
        found = importlib.util.find_spec("cuda.bindings")
    # Of `cuda` itself, the package around it.
    except ModuleNotFoundError:
        found = None
    return None if found else "NVIDIA's bindings of CUDA are not installed (pip install cuda-bindings)"


def _macos() -> str | None:
    system = platform.system()
    return None if system == "Darwin" else f"Core ML runs on macOS only; found {system}"


CHECKS: dict[str, Callable[[], str | None]] = {
    "cuda": lambda: devices().missing,  # of the driver: frameworks differ in what they call available, and may abort
    "torch-cuda": _torch_cuda,
    "jax-cuda": _jax_cuda,
    "onnxruntime-cuda": _onnxruntime_cuda,
    "tensorflow-cuda": _tensorflow_cuda,
    "tensorrt-rtx-cuda": partial(libraries.driver_problem, "tensorrt_rtx"),
    "cuda-bindings": _cuda_bindings,
    "macos": _macos,
    "c++ compiler": lambda: None if shutil.which("g++") else "torch.compile and AOTInductor need a C++ compiler (g++)",
    **{name: partial(libraries.missing, name) for name in libraries.MODULES},
}

# What is asked of a library -> the module that it is asked of. What is no check at all is a module itself.
ASKED_OF = {
    **{name: module for name, (module, _) in libraries.MODULES.items()},
    "torch-cuda": "torch",
    "jax-cuda": "jax",
    "onnxruntime-cuda": "onnxruntime",
    "tensorflow-cuda": "tensorflow",
    "tensorrt-rtx-cuda": "tensorrt_rtx",
}


def module_of(name: str) -> str:
    """Return the module that a requirement needs whatever the machine is, "" if it is one of the machine alone."""
    return ASKED_OF.get(name, "" if name in CHECKS else name)
