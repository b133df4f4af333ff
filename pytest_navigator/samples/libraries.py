"""What samples need of a library of arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np


class ArrayLibrary(Protocol):
    """A framework's arrays, as leaves of samples."""

    @property
    def name(self) -> str:
        """Of the framework: "torch"."""

    def is_array(self, value: object) -> bool:
        """Whether a leaf of a sample is an array (numpy arrays always are)."""

    def to_numpy(self, array: object) -> np.ndarray:
        """Copy an array to numpy; shape and type stay."""

    def from_numpy(self, array: np.ndarray, device: str = "cpu") -> object:
        """The library's array with the same shape and type."""
