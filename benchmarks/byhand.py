"""What the hand-written scripts have in common: a comparison, a timing, a line of figures."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

WARM_UP = 10
TIMED = 75
TOLERANCE = 1e-4


def compare(name: str, expected: np.ndarray, actual: np.ndarray) -> None:
    """End the script if an output is wrong."""
    if not np.isclose(actual, expected, rtol=TOLERANCE, atol=TOLERANCE).all():
        sys.exit(f"{name}: max abs {np.abs(actual - expected).max()}")


def timed(call: Callable[[], object]) -> np.ndarray:
    """Return latencies in ms."""
    for _ in range(WARM_UP):
        call()
    latencies = []
    for _ in range(TIMED):
        begin = time.perf_counter_ns()
        call()
        latencies.append(time.perf_counter_ns() - begin)
    return np.array(latencies) / 1e6


def report(name: str, size: int, latencies: np.ndarray) -> None:
    """Print the figures of one runtime and batch size."""
    print(f"{name} batch {size}: p50 {np.percentile(latencies, 50):.3f} ms, p99 {np.percentile(latencies, 99):.3f} ms")
