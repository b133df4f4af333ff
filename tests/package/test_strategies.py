"""Which runner each strategy chooses."""

from __future__ import annotations

import pytest

import pytest_navigator as nav
from pytest_navigator.core.records import Outcome
from pytest_navigator.core.steps import Status
from pytest_navigator.errors import ConfigError, StrategyError
from pytest_navigator.package.query import verdict
from pytest_navigator.package.query.choice import Wanted
from pytest_navigator.package.query.strategies import Figure, candidates, choose, choose_possible
from pytest_navigator.package.query.verdict import latencies
from tests.package.recorded import left_to_verify, outcomes, profile, results, verify

QUICK = Figure("onnx", "OnnxCPU", 1, 1.0, 1000.0)
BATCHED = Figure("onnx", "OnnxCPU", 8, 4.0, 2000.0)
WIDE = Figure("trt-fp16", "TensorRT", 8, 2.0, 4000.0)
FIGURES = [QUICK, BATCHED, WIDE]


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        (nav.MaxThroughputStrategy(), WIDE),
        (nav.MinLatencyStrategy(), QUICK),
        (nav.MaxThroughputWithLatencyBudgetStrategy(1.5), QUICK),
        (nav.MaxThroughputWithLatencyBudgetStrategy(latency_budget=2.0), WIDE),
        (nav.SelectedRuntimeStrategy(model_key="onnx", runner_name="OnnxCPU"), BATCHED),
        ([nav.MaxThroughputAndMinLatencyStrategy(), nav.MinLatencyStrategy()], QUICK),
        ([nav.MaxThroughputWithLatencyBudgetStrategy(0.5), nav.MaxThroughputStrategy()], WIDE),
    ],
)
def test_a_strategy_chooses_and_the_next_one_stands_in(strategy: object, expected: Figure) -> None:
    assert choose(FIGURES, strategy) == expected


def test_both_at_once_is_one_runner_at_its_smallest_latency() -> None:
    assert choose([QUICK, BATCHED], nav.MaxThroughputAndMinLatencyStrategy()) == QUICK


@pytest.mark.parametrize("order", [1, -1])
def test_both_at_once_may_share_one_of_them(order: int) -> None:
    as_quick = Figure("trt-fp16", "TensorRT", 1, QUICK.p50_latency, 4000.0)
    as_many = Figure("torch", "TorchCPU", 8, 9.0, 4000.0)
    assert choose([QUICK, as_many, as_quick][::order], nav.MaxThroughputAndMinLatencyStrategy()) == as_quick


@pytest.mark.parametrize(("here", "expected"), [({"trt-fp16", "onnx"}, QUICK), ({"trt-fp16"}, WIDE), (set(), QUICK)])
def test_where_a_runner_can_run_it_is_chosen_before_better_ones_that_cannot(here: set[str], expected: Figure) -> None:
    assert choose_possible(FIGURES, lambda figure: figure.key in here) == expected


@pytest.mark.parametrize("wrong", ["fastest", nav.MinLatencyStrategy, [nav.MinLatencyStrategy(), 5], None])
def test_what_is_no_strategy_is_told_with_those_there_are(wrong: object) -> None:
    with pytest.raises(ConfigError, match=r"not a strategy \(there are: MaxThroughputStrategy\(...\), "):
        choose(FIGURES, wrong)


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        (nav.MaxThroughputAndMinLatencyStrategy(), "trt-fp16 on TensorRT has the largest throughput, onnx on OnnxCPU"),
        (nav.MaxThroughputWithLatencyBudgetStrategy(0.5), r"within 0.5 ms; the smallest p50 latency is 1 ms \(onnx on"),
        (nav.SelectedRuntimeStrategy("onnx", "OnnxCUDA"), r"onnx on OnnxCUDA has no figures \(there are: onnx on Onnx"),
        ([], "no strategy was given"),
    ],
)
def test_a_strategy_without_an_answer_says_why(strategy: object, message: str) -> None:
    with pytest.raises(StrategyError, match=message):
        choose(FIGURES, strategy)


def test_a_list_without_an_answer_gives_every_reason() -> None:
    both = [nav.MaxThroughputWithLatencyBudgetStrategy(0.5), nav.SelectedRuntimeStrategy("a", "b")]
    with pytest.raises(StrategyError, match=r"within 0.5 ms.*; SelectedRuntimeStrategy: a on b"):
        choose(FIGURES, both)


def test_without_figures_there_is_nothing_to_choose_from() -> None:
    with pytest.raises(StrategyError, match="no runner has passed both correctness and profiling"):
        choose([])


@pytest.mark.parametrize("budget", [0, -1.0, float("nan"), None, "5", True])
def test_a_budget_is_a_number_above_zero(budget: float) -> None:
    with pytest.raises(ConfigError, match=f"latency_budget={budget!r}"):
        nav.MaxThroughputWithLatencyBudgetStrategy(budget)


def test_the_source_and_what_nobody_verified_can_be_left_out() -> None:
    digest = "e" * 64
    passed = verify("torchscript-trace", "TorchScriptCPU", digest)
    found = results([*outcomes(), profile("torch", "TorchCPU", "batchmax", 1.5, 1500.0), passed])

    assert {figure.key for figure in candidates(found)} == {"torch", "torchscript-trace"}
    assert {figure.key for figure in candidates(found, include_source=False)} == {"torchscript-trace"}
    assert {figure.key for figure in candidates(found, verified_only=True)} == {"torchscript-trace"}
    assert candidates(results(), verified_only=True) == []


@pytest.mark.parametrize("status", [Status.PASSED, Status.FAILED])
def test_what_is_slower_or_larger_than_its_float_format_is_never_the_best(status: Status) -> None:
    judged = Outcome("quantization", status, "torchscript-trace", "TorchScriptCPU")
    found = {figure.key for figure in candidates(results([*outcomes(), judged]))}
    assert ("torchscript-trace" in found) == (status is Status.PASSED)


def test_what_is_slower_or_larger_than_its_float_format_has_figures_still() -> None:
    judged = Outcome("quantization", Status.FAILED, "torchscript-trace", "TorchScriptCPU")
    assert latencies(results([*outcomes(), judged])) == latencies(results()) != {}


@pytest.mark.parametrize("status", [Status.PASSED, Status.FAILED, Status.SKIPPED, None])
def test_what_is_left_to_verify_tests_is_chosen_only_where_they_passed(status: Status | None) -> None:
    cell = ("torchscript-trace", "TorchScriptCPU")
    steps = [left_to_verify(*cell) if (o.step, o.key) == ("correctness", cell[0]) else o for o in outcomes()]
    found = results([*steps, *([verify(*cell, "e" * 64, status)] if status else [])])

    assert (cell[0] in {figure.key for figure in candidates(found)}) == (status is Status.PASSED)
    assert bool(found.unjudged(*cell)) == (status is not Status.PASSED)
    if status is not Status.PASSED:
        with pytest.raises(StrategyError, match=r"only by its name: .*judged by verify_a.* have not passed"):
            verdict.chosen(found, Wanted(cell[0]), nav.MinLatencyStrategy(), include_source=True, verified_only=False)
