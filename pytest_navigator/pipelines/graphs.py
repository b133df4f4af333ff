"""Recorded calls of a module -> its graphs: one for each structure, with what its samples and settings are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_navigator.pipelines.calls import RecordedCall
    from pytest_navigator.pipelines.registry import Wrapped

MOST_GRAPHS = 4
"""Structures of one module that get formats; the rarer ones run eagerly."""


@dataclass(frozen=True)
class Graph:
    """The calls of one module that have one structure: what formats are made of, and checked on.

    Attributes:
        name: of the module, with the number of the structure after the first: "unet", "unet.2".
        key: digest of the structure; numbers that vary are tensors in it.
        calls: with tensors in the place of numbers that varied from call to call.
        varied: where those numbers are, as a path below the call ("timestep").
        unbatched: names of the inputs without a batch axis.
        rows: how many rows the module has for each of the pipeline's batch: 2 for classifier-free guidance.
        refused: why no format can be made of it; "" if it can.
    """

    wrapped: Wrapped
    name: str
    key: str
    calls: tuple[RecordedCall, ...]
    varied: tuple[str, ...] = ()
    unbatched: tuple[str, ...] = ()
    rows: int | None = None
    refused: str = ""
