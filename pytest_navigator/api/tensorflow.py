"""`nav.tensorflow`: every format of a Keras model, a `tf.Module` or a `tf.function`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.api.keywords import ExportOptions, OptimizeOptions, exported, optimized, signed

if TYPE_CHECKING:
    from typing import Unpack

    from pytest_navigator.api.package import Package

__all__ = ["export", "optimize"]


@signed(ExportOptions)
def export(model: object, dataloader: object, **options: Unpack[ExportOptions]) -> Package:
    """Export a model to every format, check and time each, and return the package.

    Args:
        dataloader: samples of the model, or a function that returns what can be iterated.
        options: see `pytest_navigator.api.keywords.ExportOptions` and docs/python-api.md.

    Raises:
        ConfigError: an argument is wrong, or the folder of the run cannot be used.
        SourceError: the model or its loader does not keep its contract.
        PackageError: the results cannot be written.
    """
    return exported("tensorflow", model, dataloader, [], options)


@signed(OptimizeOptions)
def optimize(model: object, dataloader: object, **options: Unpack[OptimizeOptions]) -> Package:
    """Make, check and time every format of a model, and return the package.

    Args:
        dataloader: samples of the model, or a function that returns what can be iterated.
        options: see `pytest_navigator.api.keywords.OptimizeOptions` and docs/python-api.md.

    Raises:
        ConfigError: an argument is wrong, or the folder of the run cannot be used.
        SourceError: the model or its loader does not keep its contract.
        PackageError: the results cannot be written.
    """
    return optimized("tensorflow", model, dataloader, options)
