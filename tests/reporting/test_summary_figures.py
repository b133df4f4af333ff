"""The figures of a summary: the best ones by strategy, and speed-ups."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pytest_navigator.core.plain import plain
from pytest_navigator.package.layout import navigator_log as navlog
from pytest_navigator.reporting.junit import properties
from pytest_navigator.reporting.report import summary
from pytest_navigator.reporting.summary_figures import Measured, strategies
from tests.package.recorded import SOURCE, correctness, outcomes, profile, results

if TYPE_CHECKING:
    from pytest_navigator.core.records import Outcome

TRACE = ("torchscript-trace", "TorchScriptCPU")


def test_each_strategy_has_a_row_with_what_model_navigators_block_says() -> None:
    steps = [*outcomes(), profile(*TRACE, "batchmax", 2.5, 1200.0)]

    found = strategies(results(steps))

    heading, throughput, latency = found
    assert re.split("  +", heading) == [
        *("Strategy", "p50 latency [ms]", "Throughput at p50 [infer/sec]", "Runner", "Model", "Batch")
    ]
    assert throughput.split() == ["MaxThroughputStrategy", "2.5", "1200", TRACE[1], f"{TRACE[0]}/model.pt", "3"]
    assert latency.split() == ["MinLatencyStrategy", "1", "1000", "TorchCPU", "torch", "1"]
    assert len({line.index(word) for line, word in zip(found, ("Runner", TRACE[1], "TorchCPU"), strict=True)}) == 1
    assert found == [line for line in summary(results(steps)) if line in found]


def test_without_figures_there_are_no_strategies() -> None:
    assert strategies(results(outcomes()[:8])) == []


@pytest.mark.parametrize(
    ("latency", "text"), [(0.5, "2.00x"), (0.75, "1.33x"), (9.0, "0.111x"), (300.0, "0.00333x"), (5e5, "0.00000200x")]
)
def test_a_speed_up_is_never_shown_as_nothing(latency: float, text: str) -> None:
    steps = [SOURCE, correctness("torch", "TorchCPU"), correctness(*TRACE)]
    steps += [profile("torch", "TorchCPU", "batch1", 1.0, 1.0), profile(*TRACE, "batch1", latency, 1.0)]
    found = results(steps)

    figures = Measured(found)
    assert figures.speed_up(figures.best(*TRACE)) == text


def measured(key: str, runner: str, p50: float = 1.0, **more: object) -> Outcome:
    """Return a profile step with a result of its own."""
    outcome = profile(key, runner, "batch1", p50, 0.0)
    return replace(outcome, data={"result": {**outcome.data["result"], **plain(more)}})


def table(*profiles: Outcome) -> dict[str, list[str]]:
    """Return the summary's row of each runner and the best strategies' rows, by their first word of two."""
    steps = [SOURCE, correctness("torch", "TorchCPU"), correctness(*TRACE), *profiles]
    lines = [line for line in summary(results(steps)) if line.startswith("  ") or "Strategy " in line]
    rows = [re.split("  +", line.strip()) for line in lines]
    return {row[1] if row[0].islower() else row[0]: row for row in rows}


NOTED = {"stability": "unstable", "window_means": (1.0, 1.5, 0.9)}


def test_what_follows_from_a_figure_with_a_caveat_has_its_mark() -> None:
    rows = table(measured("torch", "TorchCPU"), measured(*TRACE, p50=0.5, **NOTED))

    assert rows["TorchScriptCPU"][5:8] == ["0.50*", "2000*", "2.0x* (2.0-4.0x)"]
    assert rows["TorchCPU"][5:8] == ["1", "1000", "1.00x"]
    assert rows["MinLatencyStrategy"][1:3] == rows["MaxThroughputStrategy"][1:3] == ["0.50*", "2000*"]


def test_a_speed_up_over_a_source_with_a_caveat_has_its_mark() -> None:
    rows = table(measured("torch", "TorchCPU", **NOTED), measured(*TRACE, p50=0.5))

    assert rows["TorchScriptCPU"][5:8] == ["0.5", "2000", "2.0x* (1.0-2.0x)"]
    assert rows["TorchCPU"][5:8] == ["1.0*", "1000*", "1.00x*"]


def test_the_log_has_the_caveat_beside_both_figures() -> None:
    steps = [SOURCE, correctness("torch", "TorchCPU"), measured("torch", "TorchCPU", **NOTED)]

    lines = [line.strip() for line in navlog.render(results(steps)).splitlines() if line.startswith("  ")]

    note = "* (unstable: the means of the last windows are 1, 1.5, 0.9 ms)"
    assert lines[:2] == [f"Latency: 1.0000 [ms] {note}", f"Throughput: 1000.0000 [infer/sec] {note}"]


def test_junit_has_the_caveat_as_a_property() -> None:
    assert "nav_caveat" in dict(properties(measured("torch", "TorchCPU", **NOTED)))
    assert "nav_caveat" not in dict(properties(measured("torch", "TorchCPU")))


def test_latency_and_throughput_of_a_row_are_one_statistic() -> None:
    """Whatever the mean is: one slow inference in a hundred moves it, and not the median."""
    rows = table(measured("torch", "TorchCPU", p50=0.5, avg_latency=20.0, throughput=50.0))

    assert rows["TorchCPU"][5:7] == ["0.5", "2000"]
