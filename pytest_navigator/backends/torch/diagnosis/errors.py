"""How far single values of a PyTorch artifact are off, each computed from the live model's own inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.backends.torch.arrays import to_numpy
from pytest_navigator.comparison.divergence import ROUNDING
from pytest_navigator.comparison.local_errors import local_error
from pytest_navigator.formats.local_values import Library

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import torch

    from pytest_navigator.formats.local_values import Local

TORCH = Library(to_numpy, "import torch\n\ntorch.set_grad_enabled(False)\n", "torch.from_numpy(array)")


def difference(expected: torch.Tensor, actual: torch.Tensor) -> float:
    """Return the largest absolute difference."""
    return local_error(to_numpy(actual), to_numpy(expected))


def nearest(value: torch.Tensor, candidates: Iterable[torch.Tensor]) -> torch.Tensor | None:
    """Return the tensor of the same shape, and of the same type if there is one, that differs least."""
    fitting = [each for each in candidates if each.shape == value.shape]
    fitting = [each for each in fitting if each.dtype == value.dtype] or fitting
    return min(fitting, key=lambda each: difference(each, value), default=None)


def innermost(found: Sequence[Local]) -> list[Local]:
    """Leave out modules that are wrong where one inside of them is: their error is its."""
    paths = {each.segment.module for each in found if each.segment.share > ROUNDING * each.segment.precision}

    def contains(path: str) -> bool:
        return any(other != path and other.startswith(f"{path}." if path else "") for other in paths)

    return [each for each in found if each.segment.module not in paths or not contains(each.segment.module)]
