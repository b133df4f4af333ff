"""Which runner is the best one: Model Navigator's strategies MinLatency and MaxThroughput (pure)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_navigator.package.results import combined
from pytest_navigator.package.results import profile_result
from pytest_navigator.records import Status

if TYPE_CHECKING:
    from pytest_navigator.package.results import Results


@dataclass(frozen=True)
class Figure:
    """One runner at one batch size: p50 latency in ms, throughput in infer/s."""

    key: str
    runner: str
    batch_size: int | None
    p50_latency: float
    throughput: float


@dataclass(frozen=True)
class Best:
    """The winners; None where no runner has passed both correctness and profiling."""

    latency: Figure | None
    throughput: Figure | None

    @property
    def keys(self) -> set[str]:
        """Keys of the winning variants."""
        return {figure.key for figure in (self.latency, self.throughput) if figure}


def best(results: Results, *, files_only: bool = False) -> Best:
    """Return the runner with the smallest p50 latency and the one with the largest throughput.

    A tie goes to the one that the suite names first.

    Args:
        files_only: leave out the live model, which is in no package.
    """
    figures = [f for f in candidates(results) if results.variant(f.key).file or not files_only]
    return Best(
        latency=min(figures, key=lambda figure: figure.p50_latency, default=None),
        throughput=max(figures, key=lambda figure: figure.throughput, default=None),
    )


def candidates(results: Results) -> list[Figure]:
    """Return the figures of every runner whose correctness and profile steps passed."""
    return [figure for key, runner in results.cells() for figure in _figures(results, key, runner)]


def _figures(results: Results, key: str, runner: str) -> list[Figure]:
    correctness, profiles = results.correctness(key, runner), results.profiles(key, runner)
    if not (correctness and correctness.passed) or combined(profiles) is not Status.PASSED:
        return []
    measured = [profile_result(outcome) for outcome in profiles if outcome.passed]
    return [
        Figure(key, runner, result.batch_size, result.p50_latency, result.throughput)
        for result in measured
        if math.isfinite(result.p50_latency) and math.isfinite(result.throughput)
    ]
