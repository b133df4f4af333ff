"""What was measured of a cell and a limit -> whether it is kept, and what is said."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_navigator.configuration.budgets import BOUNDS, Limit
from pytest_navigator.core.execution import GraphBreak, GraphBreaks, NodeAssignment, PlacedNode
from pytest_navigator.core.records import ProfileResult
from pytest_navigator.gates.budgets import Measured, judge

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"


def profile(p50: float, *, whole: float = 0.0, **more: Any) -> ProfileResult:
    """Return a measurement with this p50 in its fastest window, and another one over all calls."""
    of_all = whole or p50
    more = {"contention": 0.0, "windows": 3, **more}
    return ProfileResult(1, of_all, 0.0, of_all, of_all, of_all, of_all, 1.0, 75, fastest={"p50": p50}, **more)


SPLIT = NodeAssignment(CUDA, {CUDA: 210, CPU: 2}, {CPU: 2}, (PlacedNode("Inverse_4", "Inverse", CPU),))
ON_CUDA = NodeAssignment("TensorrtExecutionProvider", {CUDA: 2}, {CUDA: 2}, (PlacedNode("If_2", "If", CUDA),))
BREAKS = GraphBreaks(2, (GraphBreak("model.py:14", "print"), GraphBreak("model.py:20", "branch")))


@pytest.mark.parametrize(
    ("bound", "value", "measured", "kept"),
    [
        ("p50", 5, Measured((profile(4.0, whole=9.0),)), True),
        ("p50", 5, Measured((profile(6.0),)), False),
        ("p50", 5, Measured((profile(6.0), profile(4.0))), True),
        ("speedup", 1.2, Measured((profile(2.0),), sources=(profile(3.0),)), True),
        ("speedup", 1.2, Measured((profile(2.6), profile(2.0)), sources=(profile(3.0), profile(3.0))), True),
        ("speedup", 1.2, Measured((profile(9.0), profile(2.0)), sources=(profile(3.0), profile(2.1))), False),
        ("speedup", 1.2, Measured((profile(9.0), profile(2.8)), sources=(profile(3.0), profile(9.0))), False),
        ("speedup", 1.2, Measured((profile(2.6),), sources=(profile(3.0),)), False),
        ("size", 1, Measured(size=2**20), True),
        ("size", 1, Measured(size=2**20 + 1), False),
        ("memory", 100, Measured((profile(1.0, peak_memory=99.0),)), True),
        ("memory", 100, Measured((profile(1.0, peak_memory=99.0, peak_gpu_memory=101.0),), device="cuda"), False),
        ("full_offload", 1, Measured(nodes=NodeAssignment(CUDA, {CUDA: 9, CPU: 4}, shapes=4)), True),
        ("full_offload", 1, Measured(nodes=SPLIT), False),
        ("full_offload", 1, Measured(nodes=ON_CUDA), False),
        ("cpu_nodes", 0, Measured(nodes=ON_CUDA), True),
        ("cpu_nodes", 1, Measured(nodes=SPLIT), False),
        ("cpu_nodes", 2, Measured(nodes=SPLIT), True),
        ("graph_breaks", 2, Measured(graph_breaks=BREAKS), True),
        ("graph_breaks", 1, Measured(graph_breaks=BREAKS), False),
    ],
)
def test_the_best_of_the_tries_counts(bound: str, value: float, measured: Measured, kept: bool) -> None:
    assert judge(Limit("onnx", bound, value), measured).kept is kept


@given(st.sampled_from(list(BOUNDS)))
def test_what_was_not_recorded_fails_and_says_so(bound: str) -> None:
    found = judge(Limit("onnx", bound, 1e9 if BOUNDS[bound].sign == "<" else 0.1), Measured())

    assert not found.kept
    assert "not recorded" in found.line


@pytest.mark.parametrize(
    ("bound", "value", "measured", "line"),
    [
        (
            "p50",
            5,
            Measured((profile(7.31, contention=0.4), profile(7.25))),
            "p50: 7.25 ms (7.31 ms at first), over the budget of 5 ms: "
            "measured while others used 40 % of the processors",
        ),
        (
            "full_offload",
            1,
            Measured(nodes=SPLIT),
            "full_offload: 2 nodes, over the budget of 0 nodes: 2 of 212 nodes on the CPU: Inverse_4 (Inverse), ...",
        ),
        (
            "graph_breaks",
            1,
            Measured(graph_breaks=BREAKS),
            "graph_breaks: 2 graph breaks, over the budget of 1 graph break: model.py:14 (print), model.py:20 (branch)",
        ),
        (
            "full_offload",
            1,
            Measured(nodes=NodeAssignment(CUDA, unrecorded="ONNX Runtime 1.21.0 does not tell; 1.24 does")),
            "full_offload: not recorded, so nothing tells whether the budget is kept: "
            "ONNX Runtime 1.21.0 does not tell; 1.24 does",
        ),
        (
            "speedup",
            1.2,
            Measured((profile(3.0),), sources=(profile(3.0),)),
            "speedup: 1x, below the budget of 1.2x",
        ),
        (
            "speedup",
            1.2,
            Measured((profile(3.0), profile(2.0)), sources=(profile(3.0), profile(2.2, contention=0.4))),
            "speedup: 1.1x (1x at first), below the budget of 1.2x: "
            "the source: measured while others used 40 % of the processors",
        ),
    ],
)
def test_a_line_has_the_value_the_limit_and_what_to_know(
    bound: str, value: float, measured: Measured, line: str
) -> None:
    assert judge(Limit("onnx", bound, value), measured).line == line


def test_a_measurement_without_windows_is_judged_by_all_calls() -> None:
    old = ProfileResult(1, 2.0, 0.0, 2.0, 2.0, 2.0, 2.0, 1.0, 75)

    found = judge(Limit("onnx", "p99", 3), Measured((old,)))

    assert found.kept
    assert "fastest windows were not recorded" in found.line


def test_the_cpus_own_runner_has_all_nodes_where_they_are_meant_to_be() -> None:
    found = judge(Limit("onnx", "full_offload", 1), Measured(nodes=NodeAssignment(CPU, {CPU: 9})))

    assert found.kept
    assert "all 9 nodes are on the CPU, as they are meant to be" in found.line
