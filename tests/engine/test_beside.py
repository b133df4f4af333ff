"""An artifact beside that of a baseline, in children with one thread; what keeps from measuring is said."""

from __future__ import annotations

import re
from contextlib import closing
from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from pytest_navigator.api.given import Given
from pytest_navigator.api.session import Session
from pytest_navigator.configuration.config import NavConfig
from pytest_navigator.configuration.run_options import RunOptions
from pytest_navigator.core.records import TensorSpec
from pytest_navigator.core.steps import Step
from pytest_navigator.engine import engine
from pytest_navigator.engine.beside import Artifact
from pytest_navigator.engine.context import Context
from pytest_navigator.engine.speed import against
from pytest_navigator.gates.facts import INCONCLUSIVE, NOT_JUDGED, SLOWER, UNCHANGED
from pytest_navigator.isolation.child import Child
from pytest_navigator.isolation.one_thread import ENVIRONMENT, one_thread
from pytest_navigator.runners.spec import runner_class

WIDTH = 512
STEP = Step("correctness", "onnx", "OnnxCPU")


def write(path, layers, seed=0, width=WIDTH):
    """Write a file of so many products of matrices."""
    random, values = np.random.default_rng(seed), ["x", *(f"h{i}" for i in range(layers - 1)), "y"]
    weights = [
        numpy_helper.from_array(random.standard_normal((width, width), np.float32) / 30, f"w{i}") for i in range(layers)
    ]
    nodes = [helper.make_node("MatMul", [values[i], f"w{i}"], [values[i + 1]]) for i in range(layers)]
    ends = [helper.make_tensor_value_info(each, TensorProto.FLOAT, ["N", width]) for each in "xy"]
    graph = helper.make_graph(nodes, "layers", ends[:1], ends[1:], weights)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


@pytest.fixture(scope="module")
def checked(tmp_path_factory):
    """The step of a file of four layers that has passed, with its child."""
    folder = tmp_path_factory.mktemp("speed")
    random = np.random.default_rng(0)
    samples = [{"x": random.standard_normal((4, WIDTH), np.float32)} for _ in range(2)]
    given = Given(
        write(folder / "model.onnx", 4), samples, NavConfig(framework="onnx", runtimes=["OnnxCPU"], max_slowdown="15%")
    )
    session = Session.planned(given, "model", RunOptions(None, folder / "workspace"))
    lock = session.host.workspace.claim()
    with closing(session.host):
        found = engine.outcome(session.host, session.suite, STEP, session.live)
        assert found.passed, found.message
        yield Context(session.host, session.suite, STEP, session.live)
    lock.release()


@pytest.fixture
def old(checked, tmp_path):
    """The artifact of a baseline: the same file with other weights."""
    artifact = Artifact(str(tmp_path), checked.variant, checked.folder.signature)
    write(artifact.path, 4, seed=1)
    return artifact


def test_a_file_with_other_weights_is_not_slower(checked, old):
    facts = against(checked, old)

    assert facts.verdict != SLOWER, facts
    assert facts.quads >= 12
    assert facts.threshold == 0.15
    assert facts.old > 0
    assert facts.new > 0


@pytest.mark.slow  # it is measured in two children, for 5 s each
def test_a_file_of_four_times_the_layers_is_slower_in_both_children(checked, old):
    write(old.path, 1, seed=1)

    facts = against(checked, old)

    # Where others use all of the machine, a measurement may be inconclusive; it is never "unchanged".
    assert facts.verdict in (SLOWER, INCONCLUSIVE), facts
    assert facts.ratio > 1.5
    assert facts.again


def test_the_very_same_file_is_not_measured(checked, old):
    write(old.path, 4)

    facts = against(checked, old)

    assert facts.verdict == UNCHANGED
    assert facts.reason == "the very bytes of the baseline's artifact"
    assert facts.ratio is None


def other_input(old):
    return replace(old, signature=replace(old.signature, inputs=(TensorSpec("z", (-1, WIDTH), "float32"),)))


def no_file(old):
    old.path.unlink()
    return old


def no_onnx(old):
    old.path.write_bytes(b"no file of ONNX")
    return old


def fewer_columns(old):
    write(old.path, 4, width=64)
    return old


def foreign_option(old):
    options = {"session_options": {"register_custom_ops_library": "/tmp/evil.so"}}
    return replace(old, variant=replace(old.variant, parameters={**old.variant.parameters, "custom_args": options}))


def other_mode(old):
    return replace(old, variant=replace(old.variant, parameters={**old.variant.parameters, "autocast": True}))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (other_input, r"the baseline's artifact takes z \(float32, 2 axes\), the new one x \(float32, 2 axes\)"),
        (no_file, "the baseline does not have the artifact"),
        (no_onnx, "the baseline's artifact: ONNX Runtime .* cannot load the file"),
        (fewer_columns, "the baseline's artifact: .* index: 1 Got: 512 Expected: 64"),
        (foreign_option, "the baseline's artifact: .*register_custom_ops_library"),
        (other_mode, "the baseline was called with autocast=True, the new one is with autocast=None"),
    ],
)
def test_what_keeps_from_measuring_is_said(checked, old, change, reason):
    facts = against(checked, change(old))

    assert facts.verdict == NOT_JUDGED
    assert re.search(reason, facts.reason), facts.reason


@pytest.mark.parametrize("given", [{}, {"custom_args": {"session_options": {"intra_op_num_threads": 2}}}])
def test_a_session_that_is_held_to_one_thread_has_one_whatever_is_configured(checked, given):
    kind = runner_class(checked.runner)(checked.artifact(), checked.folder.signature, given)
    kind.single_thread = True

    with kind as runner:
        assert runner.settings()["intra_op_num_threads"] == runner.settings()["inter_op_num_threads"] == 1


@pytest.mark.parametrize(
    ("function", "threads"),
    [
        ("torch:get_num_threads", 1),
        pytest.param("tensorflow:config.threading.get_intra_op_parallelism_threads", 1, marks=pytest.mark.slow),
    ],
)
def test_a_library_in_the_child_for_measurements_has_one_thread(function, threads, tmp_path, monkeypatch):
    pytest.importorskip(function.partition(":")[0])
    monkeypatch.setenv("OMP_NUM_THREADS", "2")

    with closing(Child(forced=ENVIRONMENT, settings=one_thread({"torch": {"num_threads": 2}}))) as child:
        assert child.call(function, {}, log=tmp_path / "log", timeout=120).result == threads
