"""What a client gets: the outputs of a model as the body of an answer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_navigator.deploy.protocol import texts
from pytest_navigator.deploy.protocol.datatypes import DATATYPES, TEXT
from pytest_navigator.deploy.protocol.requests import HEADER_LENGTH

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_navigator.core.records import TensorSpec
    from pytest_navigator.deploy.protocol.metadata import ServedModel
    from pytest_navigator.deploy.protocol.requests import InferRequest, RequestedOutput


@dataclass(frozen=True)
class InferResponse:
    """A body, and the headers of HTTP that say how to read it."""

    body: bytes
    headers: dict[str, str]


def encode(request: InferRequest, outputs: Mapping[str, np.ndarray], model: ServedModel) -> InferResponse:
    """Return the answer to a request.

    Args:
        outputs: at least those that the request asks for, with the types of the model's signature.

    Raises:
        RequestError: an output cannot have the form that was asked for.
    """
    specs = {spec.name: spec for spec in model.signature.outputs}
    parts: list[bytes] = []
    entries = [_entry(wanted, specs[wanted.name], outputs[wanted.name], parts) for wanted in request.outputs]
    content = {"model_name": model.name, "model_version": model.version, "outputs": entries}
    header = json.dumps({**content, **({"id": request.id} if request.id else {})}).encode()
    if not parts:
        return InferResponse(header, {"Content-Type": "application/json"})
    headers = {"Content-Type": "application/octet-stream", HEADER_LENGTH: str(len(header))}
    return InferResponse(b"".join([header, *parts]), headers)


def _entry(wanted: RequestedOutput, spec: TensorSpec, array: np.ndarray, parts: list[bytes]) -> dict[str, Any]:
    datatype = DATATYPES[spec.dtype]
    described = {"name": wanted.name, "datatype": datatype, "shape": list(array.shape)}
    if not wanted.binary:
        return {**described, "data": texts.strings(array, spec.name) if datatype == TEXT else _numbers(array)}
    content = texts.joined(array) if datatype == TEXT else array.tobytes()
    parts.append(content)
    return {**described, "parameters": {"binary_data_size": len(content)}}


def _numbers(array: np.ndarray) -> list[Any]:
    """Return the values row by row; those of float32 and less are exact, with more digits than they need."""
    numbers = array.astype(np.float32) if array.dtype.kind == "V" else array  # bfloat16 has no Python number
    flat: list[Any] = numbers.ravel().tolist()
    return flat
