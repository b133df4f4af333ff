from __future__ import annotations

import math

from pytest_navigator.core.records import Outcome
from pytest_navigator.core.steps import Status
from pytest_navigator.package.query.strategies import best
from tests.package.recorded import SOURCE, correctness, outcomes, profile, results

TRACE = ("torchscript-trace", "TorchScriptCPU")
FAST_TRACE = [
    SOURCE,
    correctness("torch", "TorchCPU"),
    correctness(*TRACE),
    profile("torch", "TorchCPU", "batch1", 1.0, 1000.0),
    profile(*TRACE, "batch1", 2.0, 500.0),
    profile(*TRACE, "batchmax", 2.5, 1200.0),
]


def test_latency_and_throughput_may_have_different_winners() -> None:
    found = best(results(FAST_TRACE))

    assert (found.latency.key, found.latency.p50_latency) == ("torch", 1.0)
    assert (found.throughput.key, found.throughput.batch_size) == ("torchscript-trace", 3)
    assert found.keys == {"torch", "torchscript-trace"}


def test_the_live_model_can_be_left_out() -> None:
    assert best(results(FAST_TRACE), files_only=True).keys == {"torchscript-trace"}


def test_a_runner_that_failed_correctness_does_not_win() -> None:
    steps = [*FAST_TRACE, correctness("onnx", "OnnxCPU", status=Status.FAILED)]
    steps.append(profile("onnx", "OnnxCPU", "batch1", 0.1, 9999.0))

    assert "onnx" not in best(results(steps)).keys


def test_a_runner_that_failed_at_one_batch_size_does_not_win() -> None:
    steps = [*FAST_TRACE[:5], Outcome("profile", Status.FAILED, *TRACE, "batchmax")]

    assert best(results(steps), files_only=True).keys == set()


def test_a_figure_that_is_none_does_not_win() -> None:
    steps = [*FAST_TRACE[:4], profile(*TRACE, "batch1", math.nan, math.nan)]

    assert best(results(steps)).keys == {"torch"}


def test_without_figures_nobody_wins() -> None:
    found = best(results(outcomes()[:8]))

    assert found.latency is None
    assert found.throughput is None
