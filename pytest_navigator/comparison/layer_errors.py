"""What each layer of a quantized model adds to the error, the worst first: the record, the ranking and its text (pure).

A layer is computed by the quantized model from the float model's own values, so that its error is its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    Array = NDArray[Any]

MOST_TOLD = 3  # Layers that are told
MOST_LISTED = 5  # Layers that have a line each
MOST_RECORDED = 32  # Layers that are recorded


@dataclass(frozen=True)
class LayerError:
    """What one layer adds to the error.

    Attributes:
        layer: what it is called by: the path of its module, where that has no others in it, else the name of its node.
        operator: what it computes ("MatMul", "MatMul+Softmax").
        snr: of its outputs from right inputs (signal to noise ratio, dB); minus infinity where they are not finite.
        alone: of the model's worst output where all else is right (dB): what the layers are ranked by; None: not known.
        module: path of the module that it is in, "" where the file says none; location: the user's line.
        exclude: what leaves it in floating point: `layer`, and what is computed with it.
        nodes: of the float model, by name.
    """

    layer: str
    operator: str
    snr: float
    alone: float | None = None
    module: str = ""
    location: str = ""
    exclude: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """It for people: "encoder.layers.0.linear1 (MatMul) 12.3 dB, 9.1 dB at the outputs"."""
        own = f"{self.layer} ({self.operator}) {decibels(self.snr)}"
        return own if self.alone is None else f"{own}, {decibels(self.alone)} at the outputs"


@dataclass
class Noise:
    """The power of a signal and of what is added to it, summed over arrays."""

    signal: float = 0.0
    noise: float = 0.0

    def add(self, found: Array, right: Array) -> None:
        """Count one array; one of another shape, or with NaN or infinity where the right one has a number, is noise."""
        if found.shape != right.shape:
            self.noise = math.inf
            return
        wide = right.astype(np.float64)
        known = np.isfinite(wide)
        self.signal += float(np.square(wide[known]).sum())
        self.noise += _power(found.astype(np.float64)[known] - wide[known])

    @property
    def snr(self) -> float:
        """The signal to noise ratio (dB)."""
        if self.noise == 0:
            return math.inf
        return 10 * math.log10(self.signal / self.noise) if self.signal > 0 and self.noise < math.inf else -math.inf


def _power(difference: Array) -> float:
    power = float(np.square(difference).sum())
    return power if math.isfinite(power) else math.inf


def decibels(snr: float) -> str:
    """Return a ratio for people: "12.3 dB", "-inf dB"."""
    return f"{snr:.1f} dB"


def worst_first(errors: Iterable[LayerError]) -> list[LayerError]:
    """Return the layers with an error, the worst for the outputs first; equal ones in the order of the model.

    Those of which that is not known, for want of time, come last, by their own error.
    """
    return sorted(
        (each for each in errors if each.snr < math.inf),
        key=lambda each: (each.alone is None, each.snr if each.alone is None else each.alone),
    )


def told(errors: Sequence[LayerError], most: int = MOST_TOLD) -> str:
    """Return the worst layers in one line."""
    return "; ".join(each.text for each in errors[:most])


def listed(errors: Sequence[LayerError]) -> list[str]:
    """Return a line for each of the worst layers, and how many more are recorded."""
    more = len(errors) - MOST_LISTED
    return [*(each.text for each in errors[:MOST_LISTED]), *([f"... {more} more in the record"] if more > 0 else [])]


def exclusion(names: Sequence[str]) -> str:
    """Return what is written to leave layers in floating point."""
    return f"QuantizationConfig(exclude={list(names)!r})"
