"""From the values of a tensor, as a client sends them, to an array: from JSON, or from bytes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_navigator.core.records import TEXT_TYPES
from pytest_navigator.deploy.protocol import texts
from pytest_navigator.deploy.protocol.datatypes import DATATYPES
from pytest_navigator.deploy.protocol.errors import RequestError
from pytest_navigator.samples.npz import dtype_of

if TYPE_CHECKING:
    from pytest_navigator.core.records import TensorSpec

# numpy's kind of the model's type -> the kinds that JSON's values may have for it; bfloat16 is of kind V.
KINDS = {"b": "b", "i": "iu", "u": "iu", "f": "iuf", "V": "iuf"}
WHOLE = "iu"


def from_binary(content: memoryview, spec: TensorSpec, shape: tuple[int, ...]) -> np.ndarray:
    """Return a tensor of its bytes: little-endian, row by row.

    Raises:
        RequestError: these are not as many bytes as the shape and the type say, or elements that are no text.
    """
    count = math.prod(shape)
    if spec.dtype in TEXT_TYPES.values():
        return texts.array_of(texts.split(content, count, spec.name), spec.dtype, shape, spec.name)
    dtype = dtype_of(spec.dtype)
    if (needed := count * dtype.itemsize) != len(content):
        said = f"the shape {list(shape)} of {DATATYPES[spec.dtype]} is {needed} B"
        raise RequestError(f"input {spec.name!r} has {len(content)} B of binary data, {said}")
    if dtype.kind == "b":  # other bytes than 0 and 1 would be neither True nor False
        return np.not_equal(np.frombuffer(content, np.uint8).reshape(shape), 0)
    array = np.frombuffer(content, dtype).reshape(shape)
    return array if array.flags.aligned else array.copy()


def from_json(data: Any, spec: TensorSpec, shape: tuple[int, ...]) -> np.ndarray:
    """Return a tensor of a list of values, flat or nested like its shape.

    Raises:
        RequestError: it is no such list, has another number of values, or values that the type does not have.
    """
    if not isinstance(data, list):
        raise RequestError(f'input {spec.name!r} has no "data", which is a list of values, and no binary data')
    text = spec.dtype in TEXT_TYPES.values()
    try:
        array = np.array(data, dtype=object if text or spec.dtype == "uint64" else None)  # numpy makes floats of such
    except (ValueError, OverflowError, TypeError):  # rows of different lengths, numbers beside lists
        raise RequestError(f"input {spec.name!r}: its data is no regular list of values of one type") from None
    if array.size != math.prod(shape) or (array.ndim > 1 and array.shape != shape):
        raise RequestError(f"input {spec.name!r}: its data has the shape {list(array.shape)}, {list(shape)} is said")
    return (_texts if text else _numbers)(array, spec).reshape(shape)


def _texts(array: np.ndarray, spec: TensorSpec) -> np.ndarray:
    elements = array.ravel().tolist()
    if other := [each for each in elements if not isinstance(each, str)]:
        raise RequestError(f"input {spec.name!r}: {_shown(other[0])} is no text, which {DATATYPES[spec.dtype]} is")
    return texts.array_of(elements, spec.dtype, (len(elements),), spec.name)


def _numbers(array: np.ndarray, spec: TensorSpec) -> np.ndarray:
    dtype, datatype = dtype_of(spec.dtype), DATATYPES[spec.dtype]
    if other := _others(array, dtype.kind):
        raise RequestError(f"input {spec.name!r}: {_shown(other[0])} is among values that are no {datatype}")
    outside = RequestError(f"input {spec.name!r} has a value that is outside of {datatype}")
    if dtype.kind in WHOLE and array.size and not _within(array, dtype):
        raise outside
    with np.errstate(over="ignore"):
        converted = array.astype(dtype)
    if dtype.kind not in (*WHOLE, "b") and (np.isinf(converted) & ~np.isinf(array.astype(np.float64))).any():
        raise outside
    return converted


def _others(array: np.ndarray, kind: str) -> list[object]:
    """Return values that a type of this kind does not have, at least one if there are such."""
    if array.dtype.kind == "O" and kind in WHOLE:
        return [each for each in array.ravel().tolist() if type(each) is not int]
    return [] if array.dtype.kind in KINDS[kind] else array.ravel().tolist()[:1]


def _within(array: np.ndarray, dtype: np.dtype[Any]) -> bool:
    limits = np.iinfo(dtype)
    return limits.min <= int(array.min()) and int(array.max()) <= limits.max


def _shown(value: object) -> str:
    return repr(value)[:40]
