"""Whether requests can be joined into batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_navigator.core.records import TensorSpec


def obstacle(batch_dim: int | None, tensors: Iterable[TensorSpec]) -> str:
    """Return why requests cannot be joined, "" if they can.

    Servers join them along axis 0 of every input, and divide every output along it.
    """
    if batch_dim is None:
        return "the model has no batch axis"
    if batch_dim != 0:
        return f"the batch is axis {batch_dim}, and servers join requests along axis 0"
    for spec in tensors:
        if not spec.batched:
            return f"{spec.name!r} has no batch axis"
        if spec.shape[0] != -1:
            return f"the batch of {spec.name!r} is {spec.shape[0]} always"
    return ""
