"""The figures of a summary: the best ones by strategy, and speed-ups."""

from __future__ import annotations

import pytest
from recorded import SOURCE
from recorded import correctness
from recorded import outcomes
from recorded import profile
from recorded import results

from pytest_navigator.reporting.report import summary
from pytest_navigator.reporting.summary_figures import best_figure
from pytest_navigator.reporting.summary_figures import speed_up
from pytest_navigator.reporting.summary_figures import strategies

TRACE = ("torchscript-trace", "TorchScriptCPU")


def test_each_strategy_has_a_row_with_what_model_navigators_block_says() -> None:
    steps = [*outcomes(), profile(*TRACE, "batchmax", 2.5, 1200.0)]

    found = strategies(results(steps))

    heading, throughput, latency = found
    assert heading.split()[1:] == ["Latency", "[ms]", "Throughput", "[infer/sec]", "Runner", "Model", "Batch"]
    assert throughput.split() == ["MaxThroughputStrategy", "2.5", "1200", TRACE[1], f"{TRACE[0]}/model.pt", "3"]
    assert latency.split() == ["MinLatencyStrategy", "1", "1000", "TorchCPU", "torch", "1"]
    assert len({line.index(word) for line, word in zip(found, ("Runner", TRACE[1], "TorchCPU"), strict=True)}) == 1
    assert found == [line for line in summary(results(steps)) if line in found]


def test_without_figures_there_are_no_strategies() -> None:
    assert strategies(results(outcomes()[:8])) == []


@pytest.mark.parametrize(
    ("latency", "text"), [(0.5, "2.00x"), (0.75, "1.33x"), (9.0, "0.11x"), (300.0, "0.0033x"), (5e5, "2e-06x")]
)
def test_a_speed_up_is_never_shown_as_nothing(latency: float, text: str) -> None:
    steps = [SOURCE, correctness("torch", "TorchCPU"), correctness(*TRACE)]
    steps += [profile("torch", "TorchCPU", "batch1", 1.0, 1.0), profile(*TRACE, "batch1", latency, 1.0)]
    found = results(steps)

    assert speed_up(found, best_figure(found, *TRACE)) == text
