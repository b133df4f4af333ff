"""Values of ONNX Runtime of types that numpy has only through ml_dtypes: it takes and gives them by their bits.

Scripts contain the source text of this, so nothing here may use anything but numpy, ml_dtypes, ONNX and ONNX Runtime.
"""

from __future__ import annotations

from typing import Any


def ort_value(array: Any, device: str) -> Any:
    """Return an array as a value of ONNX Runtime."""
    import onnx
    from onnxruntime import OrtValue

    if array.dtype.type.__module__ != "ml_dtypes":
        return OrtValue.ortvalue_from_numpy(array, device)
    kind = onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
    return OrtValue.ortvalue_from_numpy_with_onnx_type(packed(array), kind)


def array_of(value: Any) -> Any:
    """Copy a value on the CPU to numpy."""
    import ctypes

    import ml_dtypes
    import numpy as np

    name, shape = numpy_name(value.data_type()), tuple(value.shape())
    if not hasattr(ml_dtypes, name):
        return value.numpy()
    dtype, count = np.dtype(getattr(ml_dtypes, name)), int(np.prod(shape))
    size = -(-count * bits(dtype) // 8)
    memory = np.frombuffer(bytearray(ctypes.string_at(value.data_ptr(), size) if size else b""), np.uint8)
    return unpacked(memory, dtype, count).reshape(shape)


def numpy_name(kind: str) -> str:
    """Return the name of a type, "float8_e4m3fn" for "tensor(float8e4m3fn)"."""
    import re

    return re.sub(r"^tensor\((float[48])e(\w+)\)$", r"\1_e\2", kind).replace("tensor(", "").replace(")", "")


def bits(dtype: Any) -> int:
    """Return how many bits an element has."""
    return int({"int2": 2, "uint2": 2, "int4": 4, "uint4": 4, "float4_e2m1fn": 4}.get(dtype.name, 8 * dtype.itemsize))


def packed(array: Any) -> Any:
    """Return the bits of an array in its own shape; elements of less than a byte lie together in the first bytes."""
    import numpy as np

    width, raw = bits(array.dtype), array.view(f"uint{8 * array.itemsize}")
    if width >= 8:
        return raw
    parts = np.zeros((-(-array.size * width // 8), 8 // width), np.uint8)
    parts.reshape(-1)[: array.size] = raw.reshape(-1) & (2**width - 1)
    found = np.zeros(array.size, np.uint8)
    found[: len(parts)] = np.bitwise_or.reduce(parts << np.arange(0, 8, width, dtype=np.uint8), axis=1)
    return found.reshape(array.shape)


def unpacked(memory: Any, dtype: Any, count: int) -> Any:
    """Return `count` elements of a type from their bits, as `packed` writes them."""
    import numpy as np

    width = bits(dtype)
    if width >= 8:
        return memory.view(dtype)
    parts = memory[:, None] >> np.arange(0, 8, width, dtype=np.uint8) & np.uint8(2**width - 1)
    flat = parts.reshape(-1)[:count]
    if dtype.name.startswith("int"):
        return np.where(flat >> (width - 1), flat.astype(np.int8) - 2**width, flat).astype(np.int8).astype(dtype)
    return flat.astype(dtype) if dtype.name.startswith("uint") else flat.view(dtype)
