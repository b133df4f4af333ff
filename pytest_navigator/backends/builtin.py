"""What comes with this project, with the plugins that are installed beside it, and with what the caller has imported.

A new format or framework of our own has one line here.
"""

from __future__ import annotations

import inspect
import re
from functools import cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from pytest_navigator.core.loaded import loaded
from pytest_navigator.formats.base import Format
from pytest_navigator.formats.registry import built, current

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from pytest_navigator.formats.registry import Registry
    from pytest_navigator.frameworks.base import Framework

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


def _imported(base: Any) -> Iterator[type[Format]]:
    """Yield the formats that the caller has imported: a package names classes, and never decides what is imported."""
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

    def answers(hook: str) -> list[list[type]]:
        found: list[Callable[[], list[type]]] = [vars(plugin)[hook] for plugin in plugins if hook in vars(plugin)]
        return [ask() for ask in found]

    return built(
        [formats(), *answers("pytest_nav_formats")],
        answers("pytest_nav_runners"),
        [frameworks(), *answers("pytest_nav_frameworks")],
    )


def _plugins() -> Iterator[ModuleType]:
    """Import the plugins of pytest whose distributions need this one: no others can have its hooks."""
    for entry in entry_points(group="pytest11"):
        needed = (re.match(r"[\w.-]+", text) for text in (entry.dist.requires if entry.dist else None) or ())
        if any(name and re.sub(r"[-_.]+", "-", name[0]).lower() == OURS for name in needed):
            yield entry.load()


def formats() -> list[type[Format]]:
    """Return the built-in formats."""
    from pytest_navigator.backends.exchange.onnx import OnnxFormat
    from pytest_navigator.backends.exchange.savedmodel import TensorFlowSavedModelFormat
    from pytest_navigator.backends.jax.live import JaxFormat
    from pytest_navigator.backends.jax.stablehlo import StableHLOFormat
    from pytest_navigator.backends.python.live import PythonFormat
    from pytest_navigator.backends.tensorflow.live import TensorFlowFormat
    from pytest_navigator.backends.tensorflow.tf_tensorrt import TensorFlowTensorRTFormat
    from pytest_navigator.backends.tensorrt.format import TensorRTFormat, TensorRTRTXFormat
    from pytest_navigator.backends.torch.exportedprogram import TorchExportedProgramFormat
    from pytest_navigator.backends.torch.live import TorchFormat
    from pytest_navigator.backends.torch.torch_tensorrt import TorchTensorRTFormat
    from pytest_navigator.backends.torch.torchscript import TorchScriptFormat

    return [
        TorchFormat,
        TorchScriptFormat,
        TorchExportedProgramFormat,
        TorchTensorRTFormat,
        TensorFlowFormat,
        JaxFormat,
        TensorFlowSavedModelFormat,
        TensorFlowTensorRTFormat,
        StableHLOFormat,
        OnnxFormat,
        TensorRTFormat,
        TensorRTRTXFormat,
        PythonFormat,
    ]


def frameworks() -> list[type[Framework]]:
    """Return the built-in frameworks."""
    from pytest_navigator.backends.files.frameworks import FILES
    from pytest_navigator.backends.jax.source import JaxFramework
    from pytest_navigator.backends.python.source import PythonFramework
    from pytest_navigator.backends.tensorflow.source import TensorFlowFramework
    from pytest_navigator.backends.torch.source import TorchFramework

    return [TorchFramework, JaxFramework, TensorFlowFramework, PythonFramework, *FILES]
