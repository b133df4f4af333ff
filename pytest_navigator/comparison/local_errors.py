"""How far a value is from the right one: pure numpy."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_navigator.comparison.divergence import FLOAT32

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

UNITS = {"float16": 2.0**-10, "bfloat16": 2.0**-7, "float64": 2.0**-52, "complex128": 2.0**-52}


def local_error(found: Array, right: Array) -> float:
    """Return the largest absolute difference; infinity where shapes differ or only one of two elements is finite."""
    if found.shape != right.shape:
        return math.inf
    own, other = _wide(found), _wide(right)
    finite = np.isfinite(own) & np.isfinite(other)
    if not np.array_equal(own[~finite], other[~finite], equal_nan=True):
        return math.inf
    return float(np.abs(own[finite] - other[finite]).max(initial=0.0))


def magnitude(right: Array) -> float:
    """Return the largest finite absolute value."""
    values = np.abs(_wide(right))
    return float(values[np.isfinite(values)].max(initial=0.0))


def unit_of(array: Array) -> float:
    """Return the unit of rounding of an array's type."""
    return UNITS.get(array.dtype.name, FLOAT32)


def described(array: Array) -> str:
    """Return type and shape: "float32[2, 16, 64]"."""
    return f"{array.dtype.name}{list(array.shape)}"


def _wide(array: Array) -> Array:
    return array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)
