"""The protocol's names of types."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.core.records import TEXT_TYPES
from pytest_navigator.errors import ConfigError

if TYPE_CHECKING:
    from pytest_navigator.core.records import Signature

TEXT = "BYTES"

# Our name of a type -> the protocol's; it has none for complex numbers, times and float8.
DATATYPES = {
    "bool": "BOOL",
    "uint8": "UINT8",
    "uint16": "UINT16",
    "uint32": "UINT32",
    "uint64": "UINT64",
    "int8": "INT8",
    "int16": "INT16",
    "int32": "INT32",
    "int64": "INT64",
    "float16": "FP16",
    "bfloat16": "BF16",
    "float32": "FP32",
    "float64": "FP64",
    **dict.fromkeys(TEXT_TYPES.values(), TEXT),
}


def check_types(signature: Signature) -> None:
    """Raise ConfigError if the protocol has no name for the type of an input or output."""
    for what, specs in (("input", signature.inputs), ("output", signature.outputs)):
        for spec in specs:
            if spec.dtype not in DATATYPES:
                raise ConfigError(
                    f"{what} {spec.name!r} is {spec.dtype}, for which the Open Inference Protocol has no name "
                    f"(it has: {', '.join(DATATYPES)}): a model that takes and gives another type can be served"
                )
