"""The figures of a measurement's fastest windows: what others do to the machine makes a window slower, never faster."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

WINDOW = 20.0  # ms that a window lasts at least

# Figure -> how many calls a window has at least: below, a percentile would be the slowest call of the window.
CALLS = {"avg": 5, "p50": 5, "p90": 10, "p95": 20, "p99": 100}


def fastest(latencies: np.ndarray) -> dict[str, float]:
    """Return each figure of `CALLS` in the window where it is lowest, in ms.

    Windows are consecutive calls, at least `WINDOW` ms and as many as `CALLS` says. Of fewer calls all are one window.

    Args:
        latencies: of at least one call, in their order, in ms.
    """
    import numpy as np

    def figure(name: str, window: np.ndarray) -> float:
        return float(window.mean() if name == "avg" else np.percentile(window, int(name.removeprefix("p"))))

    return {name: min(figure(name, window) for window in _windows(latencies, least)) for name, least in CALLS.items()}


def _windows(latencies: np.ndarray, least: int) -> list[np.ndarray]:
    ends, count, time = [], 0, 0.0
    for position, latency in enumerate(latencies.tolist(), start=1):
        count, time = count + 1, time + latency
        if count >= least and time >= WINDOW:
            ends.append(position)
            count, time = 0, 0.0
    starts = [0, *ends[:-1]]
    return [latencies[begin:end] for begin, end in zip(starts, ends, strict=True)] if ends else [latencies]
