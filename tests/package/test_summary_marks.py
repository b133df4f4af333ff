"""The summary marks a figure that its reader must not take at its word."""

from __future__ import annotations

from dataclasses import replace

import pytest
import recorded

from pytest_navigator.reporting.report import summary

CAVEATS = [
    "unstable: last windows 20, 10, 20 ms",
    "short: the time limit left room for 5 inferences",
    "measured while others used 40 % of the processors",
]


def lines(noted: dict[str, str]) -> list[str]:
    steps = [replace(step, message=noted.get(step.id, step.message)) for step in recorded.outcomes()]
    return summary(recorded.results(steps))


def row(found: list[str], key: str) -> list[str]:
    (line,) = [line for line in found if line.startswith(f"  {key} ")]
    return line.split()


@pytest.mark.parametrize("caveat", CAVEATS)
def test_a_figure_with_a_caveat_is_marked_and_the_mark_is_explained(caveat: str) -> None:
    found = lines({"profile.torchscript-trace.TorchScriptCPU.batch1": caveat})

    assert row(found, "torchscript-trace")[5] == "2*"
    assert row(found, "torch")[5] == "1"
    example = f"profile.torchscript-trace.TorchScriptCPU.batch1: {caveat}"
    assert f"note: 1 profile figure has a caveat (* above), for example {example}" in found


def test_the_mark_is_that_of_the_batch_size_that_is_shown() -> None:
    found = lines({"profile.torchscript-trace.TorchScriptCPU.batchmax": CAVEATS[0]})

    assert row(found, "torchscript-trace")[5] == "2"


def test_the_best_ones_latency_is_marked_too() -> None:
    noted = {"profile.torch.TorchCPU.batch1": CAVEATS[0], "profile.torchscript-trace.TorchScriptCPU.batch1": CAVEATS[1]}
    found = lines(noted)

    assert "MinLatencyStrategy     1*            1000                    TorchCPU  torch  1" in found
    assert any(line.startswith("note: 2 profile figures have a caveat (* above), ") for line in found)


def test_without_caveats_nothing_is_marked() -> None:
    assert not [line for line in lines({}) if "*" in line]
