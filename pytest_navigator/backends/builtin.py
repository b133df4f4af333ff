"""What comes with this project, with the plugins that are installed beside it, and with what the caller has imported.

A new format or framework of our own has one line here.
"""

from __future__ import annotations

import inspect
import re
from functools import cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from pytest_navigator.formats.base import Format
from pytest_navigator.formats.listed import Listed
from pytest_navigator.formats.registry import built, current

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from pytest_navigator.formats.registry import Registry

OURS = "pytest-navigator"


def known() -> Registry:
    """Return what the run has that this is asked in; outside of one, what is installed or has been imported.

    Raises:
        ConfigError: two of them cannot be told apart.
    """
    if (run := current()) is not None:
        return run
    installed = _installed()
    return installed.extended(kind for kind in _imported(Format) if kind.name not in installed.formats)


def written_as(format: str) -> str:
    """Return the format whose files those of a format are: "onnx" of quantized ONNX; itself, also if it is unknown."""
    formats = known().formats
    return (formats[format].written_as if format in formats else "") or format


def _imported(base: Any) -> Iterator[type[Format]]:
    """Yield the formats that the caller has imported: a package names classes, and never decides what is imported."""
    from pytest_navigator.core.loaded import loaded

    for kind in base.__subclasses__():
        if (
            vars(kind).get("name")
            and not inspect.isabstract(kind)
            and loaded(f"{kind.__module__}:{kind.__qualname__}") is kind
        ):
            yield kind
        yield from _imported(kind)


@cache
def _installed() -> Registry:
    """Return the built-in ones, and those of the plugins that are installed for everybody.

    Raises:
        ConfigError: two of them cannot be told apart.
    """
    plugins = list(_plugins())

    def answers(hook: str) -> list[list[Any]]:
        found: list[Callable[[], list[Any]]] = [vars(plugin)[hook] for plugin in plugins if hook in vars(plugin)]
        return [ask() for ask in found]

    return built(
        [list(FORMATS), *answers("pytest_nav_formats")],
        answers("pytest_nav_runners"),
        [list(FRAMEWORKS), *answers("pytest_nav_frameworks")],
    )


def _plugins() -> Iterator[ModuleType]:
    """Import the plugins of pytest whose distributions need this one: no others can have its hooks."""
    for entry in entry_points(group="pytest11"):
        needed = (re.match(r"[\w.-]+", text) for text in (entry.dist.requires if entry.dist else None) or ())
        if any(name and re.sub(r"[-_.]+", "-", name[0]).lower() == OURS for name in needed):
            yield entry.load()


def _listed(name: str, path: str, *marks: str, default: bool = True) -> Listed:
    return Listed(name, f"pytest_navigator.backends.{path}", marks, default)


# Frameworks whose models, and formats whose files, ONNX is made of; it is made of itself as well.
SOURCES = ("torch", "tensorflow", "jax", "tf-savedmodel", "torchscript", "torch-exportedprogram", "onnx")

FORMATS = (
    _listed("torch", "torch.live:TorchFormat", "torch"),
    _listed("torchscript", "torch.torchscript:TorchScriptFormat", "torch", "torchscript"),
    _listed(
        "torch-exportedprogram", "torch.exportedprogram:TorchExportedProgramFormat", "torch", "torch-exportedprogram"
    ),
    _listed("torch-trt", "torch.torch_tensorrt:TorchTensorRTFormat", "torch"),
    _listed(
        "aotinductor",
        "torch.aotinductor:AOTInductorFormat",
        "torch",
        "torch-exportedprogram",
        "aotinductor",
        default=False,
    ),
    _listed(
        "aotinductor-cuda",
        "torch.aotinductor:AOTInductorCUDAFormat",
        "torch",
        "torch-exportedprogram",
        "aotinductor-cuda",
        default=False,
    ),
    _listed("tensorflow", "tensorflow.live:TensorFlowFormat", "tensorflow"),
    _listed("jax", "jax.live:JaxFormat", "jax"),
    _listed("tf-savedmodel", "exchange.savedmodel:TensorFlowSavedModelFormat", "tensorflow", "jax", "tf-savedmodel"),
    _listed(
        "tf-trt", "tensorflow.tf_tensorrt:TensorFlowTensorRTFormat", "tensorflow", "jax", "tf-savedmodel", default=False
    ),
    _listed("stablehlo", "jax.stablehlo:StableHLOFormat", "jax"),
    _listed("onnx", "exchange.onnx:OnnxFormat", *SOURCES),
    _listed("onnx-quantized", "onnx.quantization.format:OnnxQuantizedFormat", *SOURCES, default=False),
    _listed("trt", "tensorrt.format:TensorRTFormat", *SOURCES, "trt"),
    _listed("trt-rtx", "tensorrt.format:TensorRTRTXFormat", *SOURCES, "trt-rtx", default=False),
    _listed("openvino", "openvino.format:OpenVINOFormat", *SOURCES, "openvino", default=False),
    _listed("litert", "litert.format:LiteRTFormat", "torch", "tensorflow", "jax", "tf-savedmodel", default=False),
    _listed("executorch", "executorch.format:ExecuTorchFormat", "torch", "torch-exportedprogram", default=False),
    _listed("coreml", "coreml.format:CoreMLFormat", "torch", "torch-exportedprogram", default=False),
    _listed("python", "python.live:PythonFormat", "python"),
)

FRAMEWORKS = (
    _listed("torch", "torch.source:TorchFramework", "torch"),
    _listed("jax", "jax.source:JaxFramework", "jax", "flax", "equinox", "haiku"),
    _listed("tensorflow", "tensorflow.source:TensorFlowFramework", "tensorflow", "keras"),
    _listed("python", "python.source:PythonFramework"),
    _listed("onnx", "files.frameworks:OnnxFiles"),
    _listed("torchscript", "files.frameworks:TorchScriptFiles"),
    _listed("torch-exportedprogram", "files.frameworks:ExportedProgramFiles"),
    _listed("tf-savedmodel", "files.frameworks:SavedModelFiles"),
    _listed("trt", "files.frameworks:TensorRTFiles"),
    _listed("trt-rtx", "files.frameworks:TensorRTRTXFiles"),
    _listed("openvino", "files.frameworks:OpenVINOFiles"),
    _listed("aotinductor", "files.frameworks:AOTInductorFiles"),
    _listed("aotinductor-cuda", "files.frameworks:AOTInductorCUDAFiles"),
)
