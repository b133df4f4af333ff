"""Inputs and outputs of a model as Triton's configuration has them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from pytest_navigator.core.records import TEXT_TYPES
from pytest_navigator.deploy.protocol.datatypes import DATATYPES, TEXT
from pytest_navigator.deploy.triton.rules import FLAG, NAME, SHAPE, check, member, optional, wrong
from pytest_navigator.errors import ConfigError

# numpy's name of a type, those of ml_dtypes included -> Triton's: the protocol's, but for texts.
NUMBERS = {dtype: f"TYPE_{name}" for dtype, name in DATATYPES.items() if name != TEXT}
TYPES = {**NUMBERS, **dict.fromkeys((*TEXT_TYPES.values(), "object"), "TYPE_STRING")}


class InputTensorFormat(StrEnum):
    """The layout of an image."""

    FORMAT_NONE = "FORMAT_NONE"
    FORMAT_NHWC = "FORMAT_NHWC"
    FORMAT_NCHW = "FORMAT_NCHW"


def triton_type(dtype: object) -> str:
    """Return Triton's name of a type: "TYPE_FP32".

    Args:
        dtype: a type of numpy or of ml_dtypes, or its name; `object`, `str` and `bytes` are texts.

    Raises:
        ConfigError: Triton has no name for it, or it is no type.
    """
    name = _numpy_name(dtype)
    if name not in TYPES:
        raise ConfigError(f"Triton has no name for the type {name} (it has {', '.join(TYPES)})")
    return TYPES[name]


def _numpy_name(dtype: Any) -> str:
    if isinstance(dtype, str):  # what ml_dtypes has, numpy knows by name only once that is imported
        return dtype
    try:
        found = np.dtype(dtype)
    except TypeError as error:
        raise ConfigError(f"dtype={dtype!r} is no type: {error}") from error
    return str(TEXT_TYPES.get(found.kind, found.name))


@dataclass(frozen=True)
class TensorSpec:
    """What inputs and outputs have.

    Attributes:
        name: of the tensor in the model.
        shape: without the batch axis where the model is batched; -1 where an axis is dynamic.
        dtype: a type of numpy or of ml_dtypes, or its name.
        reshape: what the backend gets in place of `shape`; None: the same. `()` is one number a row, for `shape=(1,)`.
        is_shape_tensor: whether the values are a shape, for TensorRT.

    Raises:
        ConfigError: a value is not possible, or Triton has no name for the type.
    """

    name: str
    shape: tuple[int, ...]
    dtype: Any = None
    reshape: tuple[int, ...] | None = None
    is_shape_tensor: bool = False

    def __post_init__(self) -> None:
        check(self, name=NAME, shape=SHAPE, reshape=optional(SHAPE), is_shape_tensor=FLAG)
        if self.dtype is None:
            raise wrong(self, "dtype", f"the type of {self.name!r} is needed, like numpy.float32")
        try:
            triton_type(self.dtype)
        except ConfigError as error:
            raise ConfigError(f"{type(self).__name__} {self.name!r}: {error}") from None
        if self.reshape is not None and not _same_size(self.shape, self.reshape):
            raise wrong(self, "reshape", f"it has another number of elements than shape={tuple(self.shape)}")


@dataclass(frozen=True)
class InputTensorSpec(TensorSpec):
    """One input.

    Attributes:
        optional: whether a request may leave it out.
        format: the layout of an image.
        allow_ragged_batch: whether requests of different shapes become one batch.

    Raises:
        ConfigError: as `TensorSpec`.
    """

    optional: bool = False
    format: InputTensorFormat | None = None
    allow_ragged_batch: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self, optional=FLAG, format=optional(member(InputTensorFormat)), allow_ragged_batch=FLAG)


@dataclass(frozen=True)
class OutputTensorSpec(TensorSpec):
    """One output.

    Attributes:
        label_filename: name of a file beside config.pbtxt with the label of each class.

    Raises:
        ConfigError: as `TensorSpec`.
    """

    label_filename: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self, label_filename=optional(NAME))


def _same_size(shape: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Whether two shapes may have the same elements: their fixed sizes do, or the dynamic ones are as many."""
    dynamic = [sum(size == -1 for size in each) for each in (shape, other)]
    fixed = [math.prod(size for size in each if size != -1) for each in (shape, other)]
    return dynamic[0] == dynamic[1] and fixed[0] == fixed[1]
