"""`nav.python`: any function of numpy arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.api.keywords import OptimizeOptions, optimized, signed

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Unpack

    from pytest_navigator.api.package import Package

__all__ = ["optimize"]


@signed(OptimizeOptions)
def optimize(model: Callable[..., object], dataloader: object, **options: Unpack[OptimizeOptions]) -> Package:
    """Check and time a function, from which nothing is exported, and return the package.

    Args:
        dataloader: samples of the function, or a function that returns what can be iterated.
        options: see `pytest_navigator.api.keywords.OptimizeOptions` and docs/python-api.md.

    Raises:
        ConfigError: an argument is wrong, or the folder of the run cannot be used.
        SourceError: the model or its loader does not keep its contract.
        PackageError: the results cannot be written.
    """
    return optimized("python", model, dataloader, options)
