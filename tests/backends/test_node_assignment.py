"""Which provider of ONNX Runtime runs each node: recorded, and said where one that computes is elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnx
import pytest
from onnx import TensorProto, helper

import pytest_navigator as nav
from pytest_navigator.backends.onnx.assignment import shaping
from pytest_navigator.comparison.facts import CorrectnessFacts
from pytest_navigator.core.execution import NodeAssignment, PlacedNode
from pytest_navigator.core.facts import facts_of
from tests.backends.split_project import CONFTEST, MODEL

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
HERE = "NAV_OPENVINO_PYTHON"
"""Names the interpreter of the environment with ONNX Runtime's provider for OpenVINO."""

ON_THE_CPU = "2 of 5 nodes on the CPU: first (Add), Inverse_4 (Inverse)"


@pytest.fixture
def split(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run pytest on a model that two providers share, in the environment that has both."""
    python = Path(os.environ.get(HERE) or ROOT / ".venv-openvino" / "bin" / "python")
    if not python.exists():
        pytest.skip(
            f"onnxruntime-openvino is not installed here: bash tests/backends/openvino_environment.sh, or ${HERE}"
        )
    (tmp_path / "conftest.py").write_text(CONFTEST, encoding="utf-8")
    (tmp_path / "model.py").write_text(MODEL, encoding="utf-8")
    subprocess.run([python, "model.py"], cwd=tmp_path, check=True)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(python), "-m", "pytest", "-p", "no:cacheprovider", "--nav-model=split.onnx", *arguments]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env=environment)

    return run


def nodes_in(path: Path, runner: str) -> NodeAssignment | None:
    with nav.load(path) as package:
        return facts_of(package.results.correctness("onnx", runner), CorrectnessFacts).nodes


def test_a_node_that_computes_on_another_provider_is_recorded_and_said(
    split: Callable[..., Any], tmp_path: Path
) -> None:
    ran = split("--nav-package=o.nav", "--nav-no-profile")

    assert ran.returncode == 0, ran.stdout
    assert f"note: correctness.onnx.OnnxOpenVINO: {ON_THE_CPU}" in ran.stdout
    found = nodes_in(tmp_path / "o.nav", "OnnxOpenVINO")
    assert found is not None
    assert found.nodes == {"OpenVINOExecutionProvider": 3, "CPUExecutionProvider": 2}
    assert [node.name for node in found.named] == ["first", "Inverse_4"]
    whole = nodes_in(tmp_path / "o.nav", "OnnxCPU")
    assert whole is not None
    assert (list(whole.nodes), whole.text) == (["CPUExecutionProvider"], "")


@pytest.mark.slow
def test_a_budget_of_full_offload_fails_on_such_a_session_and_holds_on_a_whole_one(split: Callable[..., Any]) -> None:
    limits = ("--nav-budget=onnx full_offload cpu_nodes<=2", "--nav-budget=OnnxOpenVINO graph_breaks<=0")

    ran = split("--nav", "--nav-no-profile", "-v", *limits)

    words = dict(re.findall(r"::test_budget\[onnx-(\S+)\] ([A-Z]+)", ran.stdout))
    assert words == {
        "cpu-full_offload": "PASSED",
        "cpu-cpu_nodes": "PASSED",
        "openvino-full_offload": "FAILED",
        "openvino-cpu_nodes": "PASSED",
        "openvino-graph_breaks": "FAILED",
    }
    assert f"full_offload: 2 nodes, over the budget of 0 nodes: {ON_THE_CPU}" in ran.stdout


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (NodeAssignment("CUDAExecutionProvider", {"CUDAExecutionProvider": 9}, shapes=4), ""),
        (
            NodeAssignment(
                "CUDAExecutionProvider",
                {"CUDAExecutionProvider": 209, "CPUExecutionProvider": 3},
                {"CPUExecutionProvider": 2},
                (PlacedNode("Inverse_4", "Inverse", "CPUExecutionProvider"), PlacedNode("", "Relu", "CPU")),
                1,
            ),
            "2 of 212 nodes on the CPU: Inverse_4 (Inverse), ...; 1 more elsewhere compute shapes only",
        ),
    ],
)
def test_shape_operators_are_counted_apart(found: NodeAssignment, text: str) -> None:
    assert found.text == text


def test_what_computes_nothing_but_shapes_is_told_by_the_graph(tmp_path: Path) -> None:
    node = helper.make_node
    nodes = [
        node("Shape", ["x"], ["s"], "shape"),
        node("Gather", ["s", "i"], ["d"], "size"),  # of a shape
        node("Gather", ["x", "i"], ["g"], "rows"),  # of the data
        node("Cast", ["d"], ["c"], "cast", to=TensorProto.FLOAT),
        node("Mul", ["g", "c"], ["y"], "scaled"),
    ]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "g",
        [value("x", TensorProto.FLOAT, ["b", 3])],
        [value("y", TensorProto.FLOAT, [3])],
        [helper.make_tensor("i", TensorProto.INT64, [], [0])],
    )
    path = tmp_path / "m.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))

    assert shaping(path) == {"shape", "size", "cast"}
