"""What tells models and arrays apart: digests of parameters by name, and of arrays."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection
    from collections.abc import Mapping

    import numpy as np


def fingerprint(digests: Mapping[str, str], changing: Collection[str]) -> str:
    """Return one digest of the parameters but for those that change when the model is called; "" if none is left."""
    lasting = sorted((name, digest) for name, digest in digests.items() if name not in changing)
    return hashlib.sha256(repr(lasting).encode()).hexdigest() if lasting else ""


def changed(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Return the names of what appeared, went or changed between two times that the digests were taken."""
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


def digest_of_arrays(arrays: dict[str, np.ndarray]) -> str:
    """Return the SHA-256 over names, types, shapes and bytes."""
    total = hashlib.sha256()
    for name, array in arrays.items():
        total.update(f"{name}\0{array.dtype}\0{array.shape}\0".encode(errors="surrogatepass"))
        total.update(array.tobytes())
    return total.hexdigest()
