"""The models of zoo.py: small ones in five sizes by turns, and their batches."""

from __future__ import annotations

from typing import Any

FEATURES = 16
WIDTHS = (8, 16, 32, 64, 128)


def build(framework: str, number: int) -> Any:
    """Return the model of this number; no two are one object."""
    return {"torch": _torch, "python": _python}[framework](WIDTHS[number % len(WIDTHS)], number)


def batches(framework: str) -> list[Any]:
    """Return two batches that all of them take."""
    import numpy as np

    arrays = [np.random.rand(rows, FEATURES).astype(np.float32) for rows in (1, 4)]
    if framework == "python":
        return arrays
    import torch

    return [torch.from_numpy(array) for array in arrays]


def _torch(width: int, number: int) -> Any:
    import torch

    hidden = [layer for _ in range(1 + number % 2) for layer in (torch.nn.Linear(width, width), torch.nn.ReLU())]
    return torch.nn.Sequential(torch.nn.Linear(FEATURES, width), *hidden, torch.nn.Linear(width, 4)).eval()


def _python(width: int, number: int) -> Any:
    import numpy as np

    weights = np.random.rand(FEATURES, width).astype(np.float32)
    return lambda rows: np.tanh(rows @ weights) + number
