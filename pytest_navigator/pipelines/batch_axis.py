"""Which inputs of a module have a batch axis, and how many rows it has for each of the pipeline's batch."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pytest_navigator.errors import SourceError
from pytest_navigator.samples.structure import flatten_call

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_navigator.pipelines.calls import RecordedCall

POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)

Sizes = dict[str, list[int]]
"""Input -> the size of its first axis in every call; an input without axes is not in it."""


class Batch(NamedTuple):
    """What the calls show of the batch.

    Attributes:
        rows: rows of the module for each of the pipeline's batch; None: no batch axis shows.
        unbatched: names of the inputs with axes, of which the first is not the batch.
    """

    rows: int | None = None
    unbatched: tuple[str, ...] = ()


def batch_of(
    signature: inspect.Signature,
    calls: Sequence[RecordedCall],
    batching: bool | None = None,
    input_names: Sequence[str] | None = None,
) -> Batch:
    """Return the batch axis of a module, which is the first one of an input or none.

    Args:
        calls: of one structure.
        batching: what the user says; None: an axis is the batch if it has a fixed number of rows for each of the
            pipeline's batch, at two batch sizes at least.
        input_names: the user's, in flattening order.

    Raises:
        ConfigError: `input_names` are not as many as the inputs.
    """
    batches = [call.batch_size or 0 for call in calls]
    if batching is False or not all(batches) or (len(set(batches)) < 2 and not batching):
        return Batch()
    sizes = _sizes(signature, calls, input_names)
    rows = {name: _rows(own, batches) for name, own in sizes.items()}
    found = {count for count in rows.values() if count}
    # Inputs with 1 and 2 rows for each of the batch have no common batch axis, only axes that vary.
    if len(set(batches)) > 1 and len(found) != 1:
        return Batch()
    count = next((count for count in rows.values() if count), None)
    return Batch(count, tuple(name for name, own in rows.items() if own != count)) if count else Batch()


def _rows(sizes: Sequence[int], batches: Sequence[int]) -> int | None:
    """Return how many rows there are for each of the pipeline's batch: one whole number in all calls, else None."""
    count = sizes[0] // batches[0]
    exact = all(size == count * batch for size, batch in zip(sizes, batches, strict=True))
    return count if count and exact else None


def _sizes(signature: inspect.Signature, calls: Sequence[RecordedCall], input_names: Sequence[str] | None) -> Sizes:
    positional = [name for name, parameter in signature.parameters.items() if parameter.kind in POSITIONAL]
    try:
        shapes = [flatten_call(each.call, positional, input_names, _SHAPES)[1] for each in calls]
    except SourceError:  # what cannot be flattened is told when a format is to be made of it
        return {}
    return {name: [arrays[name].shape[0] for arrays in shapes] for name, first in shapes[0].items() if first.ndim}


class _Shapes:
    """Arrays of any library, of which only the shapes are read."""

    name = ""

    def is_array(self, value: object) -> bool:
        return hasattr(value, "dtype") and hasattr(value, "shape")

    def to_numpy(self, array: Any) -> np.ndarray:
        return np.broadcast_to(np.int8(0), tuple(array.shape))  # no memory is taken for it

    def from_numpy(self, array: np.ndarray, device: str = "cpu") -> object:
        raise NotImplementedError


_SHAPES = _Shapes()
