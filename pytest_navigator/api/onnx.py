"""`nav.onnx`: an ONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_navigator.api.keywords import ExportOptions, OptimizeOptions, exported, optimized, signed

if TYPE_CHECKING:
    from typing import Unpack

    from pytest_navigator.api.package import Package

__all__ = ["export", "optimize"]


@signed(ExportOptions)
def export(model: str | Path, dataloader: object = None, **options: Unpack[ExportOptions]) -> Package:
    """Convert a file to every format, check and time each, and return the package.

    Args:
        model: path of the file.
        dataloader: samples, dicts of numpy arrays by input name; None: random data that fits the file.
        options: see `pytest_navigator.api.keywords.ExportOptions` and docs/python-api.md.

    Raises:
        ConfigError: an argument is wrong, or the folder of the run cannot be used.
        SourceError: the model or its loader does not keep its contract.
        PackageError: the results cannot be written.
    """
    return exported("onnx", Path.cwd() / model, dataloader, [], options)


@signed(OptimizeOptions)
def optimize(model: str | Path, dataloader: object = None, **options: Unpack[OptimizeOptions]) -> Package:
    """Check and time a file, and return the package.

    Args:
        model: path of the file.
        dataloader: samples, dicts of numpy arrays by input name; None: random data that fits the file.
        options: see `pytest_navigator.api.keywords.OptimizeOptions` and docs/python-api.md.

    Raises:
        ConfigError: an argument is wrong, or the folder of the run cannot be used.
        SourceError: the model or its loader does not keep its contract.
        PackageError: the results cannot be written.
    """
    return optimized("onnx", Path.cwd() / model, dataloader, options)
