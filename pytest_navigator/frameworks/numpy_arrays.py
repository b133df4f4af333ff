"""What models of numpy's arrays share, whatever runs them."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, ClassVar

from pytest_navigator.frameworks.base import Framework
from pytest_navigator.samples import feeds

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    import numpy as np

    from pytest_navigator.core.records import TensorSpec


class NumpyFramework(Framework):
    """A framework that takes numpy's arrays as they are, and has no package of its own."""

    package: ClassVar[str] = ""

    def fits(self, spec: TensorSpec) -> Callable[[Any], bool] | None:
        """Return what tells whether a value is an array as runtimes take it; None for text."""
        return feeds.fits(spec)

    def shared(self, array: np.ndarray) -> np.ndarray:
        """Return the array."""
        return array

    def seeded(self, seed: int) -> AbstractContextManager[None]:
        """Do nothing: Python's and numpy's own states are seeded for every framework."""
        return nullcontext()
