"""Tensors to numpy and back.

Scripts contain the source text of this, so nothing here may use anything but numpy, torch and, for types that numpy
has not, ml_dtypes.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import torch

# Types that numpy has only through ml_dtypes and torch only by itself; both sides agree on the bits.
FOREIGN = ("bfloat16", "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu")

BITS = {1: "uint8", 2: "int16"}


def to_numpy(array: Any) -> np.ndarray:
    """Copy a tensor (or an array, or a number) to numpy; shape and type stay."""
    import numpy as np
    import torch

    if not isinstance(array, torch.Tensor):
        return np.array(array)
    tensor = array.detach()
    if tensor.layout is not torch.strided:
        tensor = tensor.to_dense()
    tensor = tensor.resolve_conj().resolve_neg().cpu()
    if name := foreign(tensor.dtype):
        import ml_dtypes

        bits = tensor.contiguous().view(getattr(torch, BITS[tensor.element_size()]))
        return np.array(bits.numpy()).view(getattr(ml_dtypes, name))
    return np.array(tensor.numpy())


def from_numpy(array: np.ndarray, device: str = "cpu") -> torch.Tensor:
    """Copy an array to a tensor on a device; shape and type stay, the memory is never shared."""
    import numpy as np
    import torch

    own = np.array(array, dtype=native(array.dtype), order="C")
    if not (name := foreign(own.dtype)):
        return torch.from_numpy(own) if device == "cpu" else torch.from_numpy(own).to(device)
    bits = torch.from_numpy(own.view(BITS[own.itemsize]))
    return bits.view(getattr(torch, name)).to(device)


@cache
def foreign(dtype: Any) -> str:
    """Return the name of a type, torch's or numpy's, that only ml_dtypes has beside torch; "" for others."""
    name = str(dtype).removeprefix("torch.")
    return name if name in FOREIGN else ""


@cache
def native(dtype: np.dtype) -> np.dtype:
    """Return a type in the order of bytes of this machine, which is the only one that torch takes."""
    return dtype.newbyteorder("=")
