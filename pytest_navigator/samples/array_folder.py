"""Named arrays in a folder, each in a file of its own, read when it is asked for: all may not fit into memory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from pytest_navigator.samples.npz import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

INDEX = "index.json"


class ArrayFolder(Mapping[str, np.ndarray]):
    """Arrays by name, in the order in which they were added; another process reads them too, once they are all there.

    Args:
        path: of the folder; what was closed there is read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        index = path / INDEX
        self._names: list[str] = json.loads(index.read_bytes()) if index.exists() else []
        self._places = {name: place for place, name in enumerate(self._names)}

    def add(self, name: str, array: np.ndarray) -> bool:
        """Keep an array, unless it has no type of numpy's own or its name is taken; returns whether it is kept."""
        if array.dtype.kind not in KINDS or name in self._places:
            return False
        self._path.mkdir(parents=True, exist_ok=True)
        np.save(self._path / f"{len(self._names)}.npy", array, allow_pickle=False)
        self._places[name] = len(self._names)
        self._names.append(name)
        return True

    def close(self) -> None:
        """Write down the names."""
        self._path.mkdir(parents=True, exist_ok=True)
        (self._path / INDEX).write_text(json.dumps(self._names), encoding="utf-8")

    def __getitem__(self, name: str) -> np.ndarray:
        found: np.ndarray = np.load(self._path / f"{self._places[name]}.npy", mmap_mode="r", allow_pickle=False)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)
