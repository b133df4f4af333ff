"""The fastest windows: what a busy machine adds to some calls does not count, what is slow in every window does."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_navigator.profiling.fastest import fastest
from pytest_navigator.profiling.measuring import summary


def test_a_stretch_that_others_disturbed_does_not_count() -> None:
    quiet, disturbed = np.full(200, 1.0), np.full(1800, 7.0)

    found = fastest(np.concatenate([disturbed, quiet, disturbed]))

    assert found == pytest.approx({"avg": 1.0, "p50": 1.0, "p90": 1.0, "p95": 1.0, "p99": 1.0})


def test_a_tail_that_is_in_every_window_does() -> None:
    calls = np.tile([*[1.0] * 49, 30.0], 40)

    found = fastest(calls)

    assert found["p50"] == 1.0
    assert found["p99"] == 30.0


def test_a_window_lasts_20_ms_or_longer() -> None:
    calls = np.tile([*[0.1] * 10, *[2.0] * 10], 50)  # 10 fast calls are 1 ms

    assert fastest(calls)["avg"] > 0.5


@pytest.mark.parametrize("calls", [[5.0], [1.0, 2.0, 9.0]])
def test_of_few_calls_all_are_one_window(calls: list[float]) -> None:
    assert fastest(np.array(calls))["p99"] == np.percentile(calls, 99)


def test_a_measurement_has_them() -> None:
    result = summary([[2_000_000] * 25, [1_000_000] * 25], 1)

    assert result.fastest["p50"] == 1.0 < result.p50_latency
