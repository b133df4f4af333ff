"""A framework whose arrays are lists wrapped in a class, and numpy arrays: enough for everything framework-free."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_navigator.frameworks.base import Framework

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_navigator.core.plain import JSON
    from pytest_navigator.frameworks.base import Source


@dataclass
class Wrapped:
    """An array of the framework's own; a dataclass, which must not be taken for a structure."""

    values: list[float]


class NumpyFramework(Framework):
    name = "python"
    package = "numpy"

    def is_array(self, value: object) -> bool:
        return isinstance(value, Wrapped)

    def to_numpy(self, array: object) -> np.ndarray:
        assert isinstance(array, Wrapped)
        return np.array(array.values)

    def from_numpy(self, array: np.ndarray, device: str = "cpu") -> object:
        return np.array(array)

    @contextmanager
    def seeded(self, seed: int) -> Iterator[None]:
        state = np.random.get_state()
        np.random.seed(seed)
        yield
        np.random.set_state(state)

    def source(self, model: object, parameters: dict[str, JSON]) -> Source:
        raise NotImplementedError
