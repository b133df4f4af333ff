"""A client of the Open Inference Protocol in a few lines, written from its text: the other side of the codec."""

from __future__ import annotations

import json
import struct
from typing import Any

import ml_dtypes
import numpy as np

TYPES: dict[str, Any] = {
    "BOOL": np.bool_,
    "FP16": np.float16,
    "BF16": ml_dtypes.bfloat16,
    "FP32": np.float32,
    "FP64": np.float64,
    **{f"{u}INT{bits}": np.dtype(f"{u.lower()}int{bits}") for u in ("", "U") for bits in (8, 16, 32, 64)},
}
HEADER = "Inference-Header-Content-Length"


def datatype(array: np.ndarray) -> str:
    return next((name for name, kind in TYPES.items() if array.dtype == kind), "BYTES")


def as_bytes(array: np.ndarray) -> bytes:
    if datatype(array) != "BYTES":
        return array.tobytes()
    elements = [each if isinstance(each, bytes) else each.encode() for each in array.ravel().tolist()]
    return b"".join(struct.pack("<I", len(each)) + each for each in elements)


def as_json(array: np.ndarray, *, nested: bool = False) -> list[Any]:
    plain = array.astype(np.float32) if array.dtype.kind == "V" else array
    if plain.dtype.kind == "S":
        plain = np.char.decode(plain, "utf-8")
    return (plain if nested else plain.ravel()).tolist()


def request(
    arrays: dict[str, np.ndarray], *, binary: bool = False, nested: bool = False, **more: Any
) -> tuple[bytes, dict[str, str]]:
    """Return body and headers of an infer request."""
    entries: list[dict[str, Any]] = []
    parts: list[bytes] = []
    for name, array in arrays.items():
        entry: dict[str, Any] = {"name": name, "shape": list(array.shape), "datatype": datatype(array)}
        if binary:
            parts.append(as_bytes(array))
            entry["parameters"] = {"binary_data_size": len(parts[-1])}
        else:
            entry["data"] = as_json(array, nested=nested)
        entries.append(entry)
    header = json.dumps({"inputs": entries, **more}).encode()
    return b"".join([header, *parts]), {HEADER: str(len(header))} if binary else {}


def response(body: bytes, headers: Any) -> dict[str, np.ndarray]:
    """Return the arrays of an answer; of BYTES with the elements as bytes."""
    length = int(headers.get(HEADER) or len(body))
    content, rest = json.loads(body[:length]), body[length:]
    found = {}
    for entry in content["outputs"]:
        size = entry.get("parameters", {}).get("binary_data_size")
        if size is None:
            values = entry["data"]
        else:
            values, rest = rest[:size], rest[size:]
        found[entry["name"]] = _array(entry, values)
    assert rest == b""
    return found


def _array(entry: dict[str, Any], values: bytes | list[Any]) -> np.ndarray:
    shape, kind = entry["shape"], TYPES.get(entry["datatype"])
    if isinstance(values, bytes):
        elements = list(_elements(values)) if kind is None else None
        array = np.frombuffer(values, kind) if elements is None else np.array(elements, dtype=object)
    elif kind is None:
        array = np.array([each.encode() for each in values], dtype=object)
    else:
        array = np.array(values, dtype=kind)
    return array.reshape(shape)


def _elements(content: bytes) -> Any:
    while content:
        (length,) = struct.unpack("<I", content[:4])
        yield content[4 : 4 + length]
        content = content[4 + length :]
