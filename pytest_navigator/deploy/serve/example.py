"""A first request, for people who have a model served and want to see an answer (pure)."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_navigator.core.records import TEXT_TYPES
from pytest_navigator.deploy.protocol import texts
from pytest_navigator.deploy.protocol.datatypes import DATATYPES
from pytest_navigator.deploy.protocol.requests import HEADER_LENGTH
from pytest_navigator.samples.npz import dtype_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_navigator.core.records import Signature
    from pytest_navigator.deploy.serve.options import Arrays

INLINE = 32  # values that a line has room for


def zeros(signature: Signature, shapes: Mapping[str, tuple[int, ...]]) -> Arrays:
    """Return inputs of zeros, or of empty text."""
    return {spec.name: np.zeros(shapes[spec.name], _dtype(spec.dtype)) for spec in signature.inputs}


def _dtype(name: str) -> Any:
    return {TEXT_TYPES["U"]: "U1", TEXT_TYPES["S"]: "S1"}.get(name) or dtype_of(name)


def curl(address: str, inputs: Arrays, signature: Signature) -> str:
    """Return a line for a shell that sends inputs of zeros: as JSON if they are few, else as binary data.

    Args:
        address: of the model.
    """
    if sum(array.size for array in inputs.values()) <= INLINE:
        content = json.dumps({"inputs": _entries(inputs, signature, binary=False)})
        return f"curl -sg {shlex.quote(address)}/infer -d {shlex.quote(content)}"
    header = json.dumps({"inputs": _entries(inputs, signature, binary=True)})
    size = sum(_bytes(array) for array in inputs.values())
    body = f"(printf %s {shlex.quote(header)}; head -c {size} /dev/zero)"
    return f"{body} | curl -sg {shlex.quote(address)}/infer -H '{HEADER_LENGTH}: {len(header)}' --data-binary @-"


def _entries(inputs: Arrays, signature: Signature, *, binary: bool) -> list[dict[str, Any]]:
    return [
        {
            "name": spec.name,
            "shape": list(inputs[spec.name].shape),
            "datatype": DATATYPES[spec.dtype],
            **_values(inputs[spec.name], binary=binary),
        }
        for spec in signature.inputs
    ]


def _values(array: np.ndarray, *, binary: bool) -> dict[str, Any]:
    if binary:
        return {"parameters": {"binary_data_size": _bytes(array)}}
    if array.dtype.kind in TEXT_TYPES:
        return {"data": [""] * array.size}
    return {"data": (array.astype(np.float32) if array.dtype.kind == "V" else array).ravel().tolist()}


def _bytes(array: np.ndarray) -> int:
    return array.size * (texts.LENGTH.size if array.dtype.kind in TEXT_TYPES else array.itemsize)
