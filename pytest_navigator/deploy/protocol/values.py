"""From the values of a tensor, as a client sends them, to an array: from JSON, or from bytes."""

from __future__ import annotations

import math
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_navigator.core.records import TEXT_TYPES
from pytest_navigator.deploy.protocol import texts
from pytest_navigator.deploy.protocol.datatypes import DATATYPES
from pytest_navigator.deploy.protocol.errors import RequestError
from pytest_navigator.samples.npz import dtype_of

if TYPE_CHECKING:
    from pytest_navigator.core.records import TensorSpec

# numpy's kind of the model's type -> the types that JSON's values may have for it; bfloat16 is of kind V.
TYPES: dict[str, set[type]] = {"b": {bool}, "i": {int}, "u": {int}, "f": {int, float}, "V": {int, float}}
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
    elements, found = _flat(data, spec)
    if len(elements) != math.prod(shape) or (len(found) > 1 and found != shape):
        raise RequestError(f"input {spec.name!r}: its data has the shape {_shown(list(found))}, {list(shape)} is said")
    if spec.dtype in TEXT_TYPES.values():
        _check(elements, {str}, spec, "no text, which {} is")
        return texts.array_of(elements, spec.dtype, shape, spec.name)
    _check(elements, TYPES[dtype_of(spec.dtype).kind], spec, "among values that are no {}")
    return _numbers(elements, spec).reshape(shape)


def _flat(data: list[Any], spec: TensorSpec) -> tuple[list[Any], tuple[int, ...]]:
    """Return the values of nested lists, and the shape of these.

    numpy would do so too, but gives each element the room of the longest one as soon as there is a text among numbers.
    """
    level = data
    shape: tuple[int, ...] = (len(data),)
    while list in (types := set(map(type, level))):
        sizes = {len(each) for each in level} if types == {list} else set()
        if len(sizes) != 1:  # rows of different lengths, numbers beside lists
            raise RequestError(f"input {spec.name!r}: its data is no regular list of values of one type")
        level, shape = list(chain.from_iterable(level)), (*shape, *sizes)
    return level, shape


def _check(elements: list[Any], types: set[type], spec: TensorSpec, said: str) -> None:
    if not set(map(type, elements)) <= types:
        other = next(each for each in elements if type(each) not in types)
        raise RequestError(f"input {spec.name!r}: {_shown(other)} is {said.format(DATATYPES[spec.dtype])}")


def _numbers(elements: list[Any], spec: TensorSpec) -> np.ndarray:
    """Return elements of right types as an array.

    Raises:
        RequestError: a number is outside of the model's type.
    """
    dtype, outside = dtype_of(spec.dtype), f"input {spec.name!r} has a value that is outside of {DATATYPES[spec.dtype]}"
    if dtype.kind in WHOLE and elements:
        limits = np.iinfo(dtype)
        if min(elements) < limits.min or max(elements) > limits.max:
            raise RequestError(outside)
    if dtype.kind in (*WHOLE, "b"):
        return np.array(elements, dtype)
    return _floats(elements, dtype, outside)


def _floats(elements: list[Any], dtype: np.dtype[Any], outside: str) -> np.ndarray:
    try:
        exact = np.array(elements, np.float64)
    except OverflowError:  # a whole number of hundreds of digits
        raise RequestError(outside) from None
    with np.errstate(over="ignore"):
        converted = exact.astype(dtype)
    if (np.isinf(converted) & ~np.isinf(exact)).any():
        raise RequestError(outside)
    return converted


def _shown(value: object) -> str:
    return repr(value)[:40]
