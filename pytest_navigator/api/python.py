"""`nav.python`: any function of numpy arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.api.keywords import optimized

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Unpack

    from pytest_navigator.api.keywords import OptimizeOptions
    from pytest_navigator.package.descriptor import Package

__all__ = ["optimize"]


def optimize(model: Callable[..., object], dataloader: object, **options: Unpack[OptimizeOptions]) -> Package:
    """Check and time a function, from which nothing is exported, and return the package.

    Args:
        dataloader: samples of the function, or a function that returns what can be iterated.
        options: see `keywords.OptimizeOptions`.

    Raises:
        ConfigError, SourceError, PackageError, KeyboardInterrupt: as `running.check`.
    """
    return optimized("python", model, dataloader, options)
