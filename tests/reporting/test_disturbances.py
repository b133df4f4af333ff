"""The summary says which rankings are within the disturbance, between which runners, and what would help."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_navigator.core.steps import Status
from pytest_navigator.package.layout import navigator_log
from pytest_navigator.package.layout.own_part import details
from pytest_navigator.package.query.selection import KEPT
from pytest_navigator.package.query.strategies import best
from pytest_navigator.reporting import github, json_report
from pytest_navigator.reporting.html import rendering
from pytest_navigator.reporting.report import summary
from pytest_navigator.reporting.run_report import ModelReport, RunReport
from tests.package import recorded

if TYPE_CHECKING:
    from pytest_navigator.package.query.results import Results

TRACE = "profile.torchscript-trace.TorchScriptCPU.batch1"
SPINNING = {
    "waited": 0.6,
    "threads": 2,
    "spinning": ["OMP_WAIT_POLICY=passive"],
    "others": {"yes": 0.5},
    "tracing": ["coverage"],
}


def measured(worker: str = "", **disturbed: dict[str, Any]) -> Results:
    """Results with other figures of some runners, at batch 1, by the start of their keys."""
    steps = []
    for step in recorded.outcomes():
        known = next((more for key, more in disturbed.items() if step.key.startswith(key)), None)
        if step.step == "profile" and step.batch == "batch1" and known and step.passed:
            step = replace(step, data={"result": {**step.data["result"], **known}, "worker": worker})
        if step.batch != "batchmax":
            steps.append(step)
    return recorded.results(steps)


def lines(results: Results) -> list[str]:
    return [line for line in summary(results) if line.startswith("disturbed: ")]


def test_quiet_calls_are_chosen_where_the_median_is_of_the_machine() -> None:
    found = measured(torchscript={"p50_latency": 370.0, "quiet": 0.4, "floor": 0.39, **SPINNING})
    assert {figure.key for _, figure in best(found).winners} == {"torchscript-trace"}
    assert lines(found) == []
    row = next(line for line in summary(found) if line.startswith("  torchscript-trace"))
    assert " 370* (0.40) " in row
    assert "2.50x* (2.5-5.1x)" in row


def test_an_order_within_the_disturbance_is_said_with_what_would_help() -> None:
    found = measured(torchscript={"p50_latency": 370.0, "quiet": 1.5, "floor": 1.4, **SPINNING})

    order, advice = lines(found)
    assert order == (
        "disturbed: MaxThroughputStrategy, MinLatencyStrategy: the order is within the disturbance; torch on TorchCPU "
        "was seen to be fastest (1.0 ms), torchscript-trace on TorchScriptCPU (0.70 to 1.5 ms) may be faster"
    )
    assert advice == (
        "disturbed: what would help: OMP_WAIT_POLICY=passive (threads that spin kept others waiting for 60 % of the "
        "time); nothing beside it (yes used 50 %); -p no:cov (coverage watches every call)"
    )


def test_what_is_slower_in_any_case_leaves_the_order_as_it_is() -> None:
    assert lines(measured(torchscript={"p50_latency": 370.0, "quiet": 9.0, "floor": 8.0, **SPINNING})) == []


def test_of_equal_figures_the_first_of_the_suite_is_chosen() -> None:
    same = {"p50_latency": 5.0, "quiet": 1.0, "floor": 0.9, **SPINNING}
    found = measured(torch=same)  # both: torchscript-trace begins alike
    assert {figure.key for _, figure in best(found).winners} == {"torch"}
    assert "torchscript-trace on TorchScriptCPU (0.45 to 1.0 ms) may be faster" in lines(found)[0]


def test_where_nobody_knows_who_it_was_the_share_of_others_is_said() -> None:
    found = measured(torchscript={"p50_latency": 1.1, "contention": 0.5, "others": {}})
    assert lines(found)[1].endswith("what would help: nothing beside it (others used 50 % of the processors)")


OPEN = {"p50_latency": 370.0, "quiet": 1.5, "floor": 1.4, **SPINNING, "others": {"secret-trader": 0.5}}


def test_every_report_has_the_mark_and_none_names_other_programs() -> None:
    found = measured(torchscript=OPEN)
    run = RunReport((ModelReport(found),), exit_code=0)
    pages = [rendering.render(run), github.summary(run).replace("&#45;", "-")]
    assert all("the order is within the disturbance" in page for page in pages)
    log = navigator_log.render(found)
    assert log.count("  Disturbed: torchscript-trace on TorchScriptCPU may be better\n") == 2
    rivals = {"MaxThroughputStrategy": ["torchscript-trace on TorchScriptCPU"]}
    rivals["MinLatencyStrategy"] = rivals["MaxThroughputStrategy"]
    assert details(found, git=None, complete=True)["disturbed"] == rivals
    written = json_report.render(run)
    assert json.loads(written)["models"][0]["records"]["disturbed"] == rivals
    assert not [text for text in (*pages, log, written) if "secret-trader" in text]


def test_no_report_has_it_where_nothing_was_disturbed() -> None:
    found = measured()
    run = RunReport((ModelReport(found),), exit_code=0)
    texts = [rendering.render(run), github.summary(run), navigator_log.render(found)]
    assert not [text for text in texts if "isturbed:" in text or "within the disturb" in text]
    assert details(found, git=None, complete=True)["disturbed"] == {}


def test_where_one_is_disturbed_all_are_compared_by_their_quietest_calls() -> None:
    """The live model is faster by both statistics, and by its median not than the other's quietest calls."""
    found = measured(
        torchscript={"p50_latency": 1.2, "quiet": 0.8, "floor": 0.8, "contention": 0.25, "waited": 0.05},
        torch={"p50_latency": 1.0, "quiet": 0.6, "floor": 0.6, "contention": 0.1},
    )
    by_key = {step.key: step for step in found.outcomes if step.step == "profile" and step.passed}
    assert by_key["torchscript-trace"].data["result"]["quiet"] == 0.8
    assert {figure.key for _, figure in best(found).winners} == {"torch"}
    assert lines(found) == []
    row = next(line for line in summary(found) if line.startswith("  torchscript-trace"))
    assert " 0.75x* (" in row


def test_a_batch_size_that_is_not_a_runners_best_may_be_the_best_of_all() -> None:
    batch8 = {"p50_latency": 9.0, "quiet": 3.9, "floor": 1.8, **SPINNING, "threads": 1}
    steps = []
    for step in recorded.outcomes():
        if step.step == "profile" and step.batch == "batchmax":
            step = replace(step, data={"result": {**step.data["result"], **batch8}})
        if step.step == "profile" and step.key == "torchscript-trace" and step.batch == "batch1":
            step = replace(step, data={"result": {**step.data["result"], "p50_latency": 1.05}})
        steps.append(step)
    found = recorded.results(steps)
    assert dict(best(found).winners)["MaxThroughputStrategy"].key == "torch"
    # Of three rows in one batch, each takes 0.6 ms at least; alone it takes 1.05, and nothing disturbed that.
    assert [line for line in lines(found) if "MaxThroughputStrategy" in line and "torchscript-trace" in line]


def test_what_may_be_the_best_is_kept_with_the_best() -> None:
    found = measured(torchscript={"p50_latency": 1.3, "quiet": 0.9, "floor": 0.5, "contention": 0.5})
    left = [o for o in found.outcomes if (o.step, o.key) != ("profile", "onnx")]
    steps = [replace(o, status=Status.PASSED) if o.runner == "OnnxCPU" else o for o in left]
    onnx = recorded.profile("onnx", "OnnxCPU", "batch1", 0.8, 1250.0)
    both = recorded.results([*steps, onnx])
    assert dict(best(both, files_only=True).winners)["MinLatencyStrategy"].key == "onnx"
    assert KEPT["best"](both, ()) == {"onnx", "torchscript-trace"}
    certain = recorded.results([*(o for o in recorded.outcomes() if o.step != "profile"), onnx])
    assert "torchscript-trace" not in KEPT["best"](certain, ())


def test_threads_that_hardly_waited_are_no_advice() -> None:
    found = measured(torchscript={"p50_latency": 1.1, "floor": 0.5, "contention": 0.5, **SPINNING, "waited": 0.01})
    assert "OMP_WAIT_POLICY" not in lines(found)[1]


@pytest.mark.parametrize("quiet", [0.0, float("nan"), None])
def test_a_figure_that_cannot_be_is_no_figure(quiet: float | None) -> None:
    found = measured(torchscript={"p50_latency": 1.1, "contention": 0.5, "quiet": quiet, "floor": quiet})
    assert summary(found)
