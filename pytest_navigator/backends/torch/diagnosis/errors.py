"""How far single values of a PyTorch artifact are off, each computed from the live model's own inputs."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from pytest_navigator.comparison.divergence import ROUNDING, Segment

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ROUNDED_BY = {torch.float16: 2.0**-10, torch.bfloat16: 2.0**-7, torch.float64: 2.0**-52}
FLOAT32 = 2.0**-23

Tensors = dict[str, torch.Tensor]


@dataclass
class Local:
    """One value: what is known of it, what it is computed from, what is right and what came out.

    Attributes:
        again: lines of Python that compute it as `actual` from `inputs`, in the script that is left.
    """

    segment: Segment
    inputs: Tensors
    expected: torch.Tensor
    actual: torch.Tensor
    again: tuple[str, ...] = field(default=())


def difference(expected: torch.Tensor, actual: torch.Tensor) -> float:
    """Return the largest absolute difference; infinite where shapes differ, or only one of two values is finite."""
    if expected.shape != actual.shape:
        return math.inf
    first, second = _wide(expected), _wide(actual)
    same = (first == second) | (first.isnan() & second.isnan())
    apart = (first - second).abs().masked_fill(same, 0.0)
    return float(torch.nan_to_num(apart, nan=math.inf, posinf=math.inf).max()) if apart.numel() else 0.0


def local(
    expected: torch.Tensor, actual: torch.Tensor, inputs: Tensors, again: Sequence[str] = (), **known: str
) -> Local:
    """Return a value with its error.

    Args:
        known: the fields of `Segment` that are text.
    """
    finite = torch.nan_to_num(_wide(expected), nan=0.0, posinf=0.0, neginf=0.0).abs()
    types = "" if actual.dtype == expected.dtype else f", not {_name(expected.dtype)}"
    segment = Segment(
        error=difference(expected, actual),
        magnitude=float(finite.max()) if finite.numel() else 0.0,
        inputs=tuple(described(tensor) for tensor in inputs.values()),
        output=f"{described(actual)}{types}",
        precision=ROUNDED_BY.get(expected.dtype, FLOAT32),
        **known,
    )
    return Local(segment, inputs, expected, actual, tuple(again))


def nearest(value: torch.Tensor, candidates: Iterable[torch.Tensor]) -> torch.Tensor | None:
    """Return the tensor of the same shape, and of the same type if there is one, that differs least."""
    fitting = [each for each in candidates if each.shape == value.shape]
    fitting = [each for each in fitting if each.dtype == value.dtype] or fitting
    return min(fitting, key=lambda each: difference(each, value), default=None)


def described(tensor: torch.Tensor) -> str:
    """Return type and shape: "float32[2, 16]"."""
    return f"{_name(tensor.dtype)}{list(tensor.shape)}"


def innermost(found: Sequence[Local]) -> list[Local]:
    """Leave out modules that are wrong where one inside of them is: their error is its."""
    paths = {each.segment.module for each in found if each.segment.share > ROUNDING * each.segment.precision}

    def contains(path: str) -> bool:
        return any(other != path and other.startswith(f"{path}." if path else "") for other in paths)

    return [each for each in found if each.segment.module not in paths or not contains(each.segment.module)]


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _wide(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.abs().double() if tensor.is_complex() else tensor.double()
