"""A verdict on a budget in a package that somebody has changed: refused, with its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_navigator.core.records import Outcome, SuiteRecord
from pytest_navigator.core.steps import Status
from pytest_navigator.core.variants import RunnerRecord, Variant
from pytest_navigator.gates.facts import BudgetFacts
from pytest_navigator.package.layout.record_schema import step_problem
from pytest_navigator.package.query.results import Results
from pytest_navigator.reporting.budgets import budgets

if TYPE_CHECKING:
    from collections.abc import Mapping

CPU = RunnerRecord("OnnxCPU", "cpu", "onnx", "cpu", live=False, path="a:B")
SUITE = SuiteRecord("m", "n", "onnx", "", (Variant("onnx", "onnx", None, "m.onnx"),), {"OnnxCPU": CPU}, (), {})
KEPT = {"name": "onnx", "bound": "p50", "batch_size": 1, "allowed": 5.0, "unit": "ms", "values": [4.0], "kept": True}


def outcome(data: Mapping[str, Any], **where: str) -> Outcome:
    place = {"key": "onnx", "runner": "OnnxCPU", "batch": "p50", **where}
    return Outcome("budget", Status.PASSED, data=dict(data), **place)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (outcome(KEPT), ""),
        (outcome({}), ""),
        (outcome(KEPT | {"bound": "p51"}), ".data.bound: no limit is called 'p51'"),
        (outcome(KEPT | {"values": [float("nan")]}), ".data.values: nan is none"),
        (outcome(KEPT | {"allowed": float("inf")}), ".data.values: inf is none"),
        (outcome(KEPT, key=""), ".key: '' is no format of the package"),
        (outcome(KEPT, runner=""), ".runner: '' is no runner of the package"),
    ],
)
def test_what_cannot_be_is_refused(found: Outcome, said: str) -> None:
    assert step_problem(found, SUITE) == said


@given(st.builds(BudgetFacts, bound=st.sampled_from(["p50", "size", "speedup", "cpu_nodes", "full_offload"])))
def test_whatever_passes_can_be_shown(facts: BudgetFacts) -> None:
    found = outcome({name: getattr(facts, name) for name in KEPT} | {"why": facts.why})

    if not step_problem(found, SUITE):
        assert budgets(Results(SUITE, (found,)))[-1].lstrip().startswith("onnx-cpu")
