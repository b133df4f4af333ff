"""The summary marks a figure that its reader must not take at its word."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_navigator.reporting.report import summary
from tests.package import recorded

if TYPE_CHECKING:
    from pytest_navigator.core.records import Outcome

CAVEATS: dict[str, dict[str, Any]] = {
    "unstable: the means of the last windows are 20, 10, 20 ms": {
        "stability": "unstable",
        "window_means": [20, 10, 20],
    },
    "short: the time limit left room for 5 inferences": {"stability": "short", "request_count": 5},
    "measured while others used 40 % of the processors": {"contention": 0.4},
}
"""What is said of a measurement -> what its record has."""


def lines(noted: dict[str, str]) -> list[str]:
    steps = [_noted(step, noted[step.id]) if step.id in noted else step for step in recorded.outcomes()]
    return summary(recorded.results(steps))


def _noted(step: Outcome, caveat: str) -> Outcome:
    return replace(step, message=caveat, data={"result": {**step.data["result"], **CAVEATS[caveat]}})


def row(found: list[str], key: str) -> list[str]:
    (line,) = [line for line in found if line.startswith(f"  {key} ")]
    return line.split()


@pytest.mark.parametrize("caveat", CAVEATS)
def test_a_figure_with_a_caveat_is_marked_and_the_mark_is_explained(caveat: str) -> None:
    found = lines({"profile.torchscript-trace.TorchScriptCPU.batch1": caveat})

    assert re.fullmatch(r"2(\.0+)?\*", row(found, "torchscript-trace")[5])
    assert row(found, "torch")[5] == "1"
    example = f"profile.torchscript-trace.TorchScriptCPU.batch1: {caveat}"
    assert f"note: 1 profile figure has a caveat (* above), for example {example}" in found


def test_the_mark_is_that_of_the_batch_size_that_is_shown() -> None:
    found = lines({"profile.torchscript-trace.TorchScriptCPU.batchmax": next(iter(CAVEATS))})

    assert row(found, "torchscript-trace")[5] == "2"


def test_the_best_ones_latency_is_marked_too() -> None:
    steps = ("profile.torch.TorchCPU.batch1", "profile.torchscript-trace.TorchScriptCPU.batch1")
    found = lines(dict(zip(steps, CAVEATS, strict=False)))

    (best,) = [line.split() for line in found if line.startswith("MinLatencyStrategy")]
    assert best[1:] == ["1.0*", "1000*", "TorchCPU", "torch", "1"]
    assert any(line.startswith("note: 2 profile figures have a caveat (* above), ") for line in found)


def test_without_caveats_nothing_is_marked() -> None:
    assert not [line for line in lines({}) if "*" in line]
