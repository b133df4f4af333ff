"""Requests become a batch, and its outputs become theirs again (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_navigator.deploy.serve.options import Arrays

Alike: TypeAlias = tuple[tuple[int, ...], ...]
"""What requests have in common that can be joined: the shape of each input without the batch axis."""


def rows_of(inputs: Arrays, axis: int | None) -> int:
    """Return the batch size of a request; 1 without a batch axis."""
    return 1 if axis is None else next(iter(inputs.values())).shape[axis]


def alike(inputs: Arrays, axis: int) -> Alike:
    """Return what another request must have in common with this one to be joined with it."""
    return tuple(array.shape[:axis] + array.shape[axis + 1 :] for array in inputs.values())


def join(requests: Sequence[Arrays], axis: int) -> Arrays:
    """Return the inputs of several requests as those of one."""
    return {name: np.concatenate([inputs[name] for inputs in requests], axis) for name in requests[0]}


def split(outputs: Mapping[str, np.ndarray], rows: Sequence[int], axis: int) -> list[Arrays]:
    """Return the outputs of each request.

    Args:
        rows: the batch size of each.

    Raises:
        ValueError: an output has not as many rows as went in.
    """
    for name, array in outputs.items():
        if array.shape[axis] != sum(rows):
            raise ValueError(f"output {name!r} has {array.shape[axis]} rows of the {sum(rows)} that went in")
    ends = np.cumsum(rows)[:-1]
    parts = {name: np.split(array, ends, axis) for name, array in outputs.items()}
    return [{name: parts[name][index] for name in parts} for index in range(len(rows))]
