"""What a client asks of a model: the body of an infer request, as arrays."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_navigator.deploy.protocol import values
from pytest_navigator.deploy.protocol.datatypes import DATATYPES
from pytest_navigator.deploy.protocol.errors import RequestError
from pytest_navigator.errors import unknown_text
from pytest_navigator.samples.feeds import shape_problem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    from pytest_navigator.core.records import Signature, TensorSpec

HEADER_LENGTH = "Inference-Header-Content-Length"
"""The header of HTTP that says how many bytes of a body are JSON; what follows are tensors in binary form."""

# Above all that an axis can have; a number of thousands of digits could not even be shown.
LARGEST = 2**63

# Parameters of a tensor that ask for what nothing here does.
NOT_HERE = {"classification": "classification", "shared_memory_region": "shared memory"}


@dataclass(frozen=True)
class RequestedOutput:
    """An output that a client wants, and whether in binary form."""

    name: str
    binary: bool


@dataclass(frozen=True)
class InferRequest:
    """One inference.

    Attributes:
        inputs: by name, all that the model has.
        outputs: in the order of the answer.
        id: what the client calls the request; "" if it does not.
    """

    inputs: dict[str, np.ndarray]
    outputs: tuple[RequestedOutput, ...]
    id: str = ""


def decode(body: bytes | bytearray, header_length: str | None, signature: Signature) -> InferRequest:
    """Read the body of an infer request. The arrays may be views of it that cannot be written to.

    Args:
        header_length: the header of HTTP of that name, None if there is none.

    Raises:
        RequestError: it is not what the protocol says, not what the model takes, or there is not the memory for it.
    """
    try:
        return _decoded(memoryview(body), header_length, signature)
    except MemoryError:
        raise RequestError("there is not the memory for what the request says: send less at once", 413) from None


def _decoded(body: memoryview, header_length: str | None, signature: Signature) -> InferRequest:
    header, rest = _split(body, header_length)
    content = _content(header)
    inputs = _inputs(content, rest, signature)
    if problem := shape_problem(inputs, signature):
        raise RequestError(problem)
    return InferRequest(inputs, _outputs(content, signature), _text(content, "id"))


def _split(body: memoryview, header_length: str | None) -> tuple[memoryview, memoryview | None]:
    """Return the JSON of a body, and the binary data behind it if it has such."""
    if header_length is None:
        return body, None
    digits = header_length.isascii() and header_length.isdigit() and len(header_length) < 20
    length = int(header_length) if digits else -1
    if not 0 < length <= len(body):
        said = f"{HEADER_LENGTH} is {header_length[:40]!r}"
        raise RequestError(f"{said}: a number of bytes from 1 to the {len(body)} of the body is needed")
    return body[:length], body[length:]


def _content(header: memoryview) -> dict[str, Any]:
    try:
        content = json.loads(bytes(header))
    except (ValueError, RecursionError) as error:
        binary = f"; with binary data behind it, {HEADER_LENGTH} says how long it is" if header else ""
        raise RequestError(f"the request is no JSON: {error}{binary}") from None
    if not isinstance(content, dict):
        raise RequestError(f'the request is a {type(content).__name__}: an object with "inputs" is needed')
    return content


def _inputs(content: dict[str, Any], rest: memoryview | None, signature: Signature) -> dict[str, np.ndarray]:
    specs = {spec.name: spec for spec in signature.inputs}
    found: dict[str, np.ndarray] = {}
    taken = 0
    for entry in _entries(content, "inputs"):
        name = _name(entry, "input", specs, found)
        shape, size = _shape(entry, specs[name]), _binary_size(entry, name, rest, taken)
        if rest is None or size is None:
            found[name] = values.from_json(entry.get("data"), specs[name], shape)
        else:
            found[name] = values.from_binary(rest[taken : taken + size], specs[name], shape)
            taken += size
    if absent := [name for name in specs if name not in found]:
        raise RequestError(f"input {absent[0]!r} is missing (the model's inputs: {', '.join(specs)})")
    if rest is not None and taken != len(rest):
        raise RequestError(f"{len(rest) - taken} B of binary data are left over: no input says that they are its own")
    return {name: found[name] for name in specs}


def _entries(content: dict[str, Any], key: str) -> Sequence[dict[str, Any]]:
    entries = content.get(key) or []
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise RequestError(f'"{key}" is not a list of objects')
    return entries


def _name(entry: dict[str, Any], what: str, known: Mapping[str, object], seen: Mapping[str, object]) -> str:
    name = _text(entry, "name")
    if name not in known:
        raise RequestError(unknown_text(what, name, known))
    if name in seen:
        raise RequestError(f"{what} {name!r} is there twice")
    return name


def _shape(entry: dict[str, Any], spec: TensorSpec) -> tuple[int, ...]:
    """Return the shape of an input, after its type was compared with the model's."""
    shape, datatype = entry.get("shape"), _text(entry, "datatype")
    if datatype != DATATYPES[spec.dtype]:
        raise RequestError(f"input {spec.name!r} is {datatype or 'of no datatype'}, {DATATYPES[spec.dtype]} is needed")
    if not isinstance(shape, list) or not all(type(size) is int and 0 <= size < LARGEST for size in shape):
        raise RequestError(f"input {spec.name!r}: its shape is no list of whole numbers from 0 on")
    if len(shape) != len(spec.shape):
        raise RequestError(f"input {spec.name!r} has the shape {str(shape)[:80]}, the model takes {list(spec.shape)}")
    return tuple(shape)


def _binary_size(entry: dict[str, Any], name: str, rest: memoryview | None, taken: int) -> int | None:
    """Return how many bytes of binary data an input has, None for one in JSON."""
    size = _parameters(entry, f"input {name!r}").get("binary_data_size")
    if size is None:
        return None
    if rest is None:
        raise RequestError(f"input {name!r} has binary data, and the request has no header {HEADER_LENGTH}")
    if type(size) is not int or not 0 <= size <= len(rest) - taken:
        raise RequestError(f"input {name!r}: binary_data_size is {str(size)[:40]}, {len(rest) - taken} B are left")
    return size


def _outputs(content: dict[str, Any], signature: Signature) -> tuple[RequestedOutput, ...]:
    binary = _parameters(content, "the request").get("binary_data_output") is True
    names = {spec.name: spec for spec in signature.outputs}
    found: dict[str, RequestedOutput] = {}
    for entry in _entries(content, "outputs"):
        name = _name(entry, "output", names, found)
        wanted = _parameters(entry, f"output {name!r}").get("binary_data", binary)
        found[name] = RequestedOutput(name, wanted is True)
    return tuple(found.values()) or tuple(RequestedOutput(name, binary) for name in names)


def _parameters(entry: dict[str, Any], of: str) -> dict[str, Any]:
    found = entry.get("parameters") or {}
    if not isinstance(found, dict):
        raise RequestError(f'the "parameters" of {of} are no object')
    for key, what in NOT_HERE.items():
        if key in found:
            raise RequestError(f"{of}: there is no {what} here (parameter {key})")
    return found


def _text(entry: dict[str, Any], key: str) -> str:
    found = entry.get(key, "")
    if not isinstance(found, str):
        raise RequestError(f'"{key}" is {str(found)[:40]}: a text is needed')
    return found
