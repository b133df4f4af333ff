"""How an engine is fed, run and read, against stand-ins of CUDA and TensorRT: there is no GPU where these tests run."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from stand_ins import install

from pytest_navigator.backends.builtin import known
from pytest_navigator.core.records import Signature, TensorSpec
from pytest_navigator.errors import StepFailed

TensorRT = known().runners()["TensorRT"].load()
TensorRTCUDAGraph = known().runners()["TensorRTCUDAGraph"].load()

SIGNATURE = Signature(
    inputs=(TensorSpec("x", (-1, 3), "float32", {0: "batch"}, batched=True),),
    outputs=(
        TensorSpec("found", (-1,), "float32", {0: "found_0"}),
        TensorSpec("y", (-1, 3), "float32", {0: "batch"}, batched=True),
    ),
    input_tree={},
    output_tree={},
    batch_dim=0,
    array_type="torch",
)


def rows(count):
    return {"x": np.arange(-2, 3 * count - 2, dtype=np.float32).reshape(count, 3)}


@pytest.fixture
def machine(monkeypatch):
    return install(monkeypatch)


@pytest.fixture
def plan(tmp_path):
    path = tmp_path / "model.plan"
    path.write_bytes(b"ptrt")
    return path


@pytest.mark.parametrize("kind", [TensorRT, TensorRTCUDAGraph])
def test_outputs_are_read_from_where_they_are_put_by_the_signatures_names(machine, plan, kind):
    with kind(plan, SIGNATURE, {}) as runner:
        for count in (2, 5, 1, 5):
            feed = rows(count)
            found = runner.infer(feed)
            assert list(found) == ["found", "y"]
            np.testing.assert_array_equal(found["y"], 2 * feed["x"])
            np.testing.assert_array_equal(found["found"], feed["x"][feed["x"] > 0])


RENAMED = replace(
    SIGNATURE,
    inputs=(replace(SIGNATURE.inputs[0], name="images"),),
    outputs=(replace(SIGNATURE.outputs[1], name="found"), replace(SIGNATURE.outputs[0], name="y")),
    input_tree={"args": [], "kwargs": [("x", {"leaf": "images"})]},
    array_type="numpy",
)
"""Of a file whose input and outputs were given other names: here those of the outputs the other way round."""


@pytest.mark.parametrize("kind", [TensorRT, TensorRTCUDAGraph])
def test_an_engine_of_a_file_whose_names_are_others_goes_by_their_order(machine, plan, kind):
    with kind(plan, RENAMED, {}) as runner:
        feed = {"images": rows(2)["x"]}
        found = runner.infer(feed)
        assert list(found) == ["found", "y"]
        np.testing.assert_array_equal(found["found"], 2 * feed["images"])
        runner.bind(feed)()
        with pytest.raises(StepFailed, match=r"the engine has an input 'x'"):
            runner.infer({})


def test_the_script_of_such_an_engine_goes_by_their_order_too():
    subject = SimpleNamespace(signature=RENAMED)
    code = TensorRT.script(subject)
    assert code.prepare.startswith("feed = dict(zip(model.get_input_metadata(), feed.values()))\n")
    assert "zip(OUTPUTS, y.values())" in code.outputs
    plain = TensorRT.script(SimpleNamespace(signature=SIGNATURE))
    assert "feed = " not in plain.prepare


def test_the_first_fitting_profile_is_chosen_the_later_ones_in_front(machine, plan):
    with TensorRT(plan, SIGNATURE, {}) as runner:
        runner.infer(rows(1))
        assert runner.settings()["optimization_profile"] == 1
        runner.infer(rows(4))
        assert runner.settings()["optimization_profile"] == 0
        with pytest.raises(StepFailed, match=r"no optimization profile of the engine takes x \[9, 3\]"):
            runner.infer(rows(9))


def test_an_engine_runs_code_of_its_own_only_where_it_was_built_to_do_so(machine, plan):
    plan.write_bytes(b"ptrt with code")

    with TensorRT(plan, SIGNATURE, {"custom_args": {"version_compatible": True}}) as runner:
        assert list(runner.infer(rows(2))) == ["found", "y"]
    with pytest.raises(StepFailed, match="cannot load the engine"), TensorRT(plan, SIGNATURE, {"custom_args": {}}):
        pass


@pytest.mark.parametrize(
    ("feed", "message"),
    [
        ({"z": np.zeros((1, 3), np.float32)}, r"the engine has an input 'x', the model has \['z'\]"),
        ({"x": np.zeros((1, 3), np.float64)}, "input 'x' is float64, the engine takes float32"),
    ],
)
def test_what_the_engine_does_not_take_is_named(machine, plan, feed, message):
    with TensorRT(plan, SIGNATURE, {}) as runner, pytest.raises(StepFailed, match=message):
        runner.infer(feed)


def test_what_is_timed_is_the_call_alone_and_copies_are_apart(machine, plan):
    cuda, _ = machine
    with TensorRT(plan, SIGNATURE, {}) as runner:
        call = runner.bind(rows(2))
        copies = runner.copies(rows(2), call())
        cuda.copied.clear()
        call()
        assert cuda.copied == []
        copies()
        assert cuda.copied == [(1, 24), (2, 24), (2, 12)]  # to the GPU: x; back: y and the three elements of found
        assert runner.settings()["version"] == "10.12.0"


def test_a_refused_inference_is_a_failure_and_never_a_figure(machine, plan):
    _, library = machine
    with TensorRT(plan, SIGNATURE, {}) as runner:
        call = runner.bind(rows(2))
        library.engine.refuses = True
        with pytest.raises(StepFailed, match="could not start the inference"):
            call()


def test_a_refused_graph_is_a_failure_too(machine, plan):
    cuda, _ = machine
    with TensorRTCUDAGraph(plan, SIGNATURE, {}) as runner:
        call = runner.bind(rows(2))
        call()
        cuda.launch = (cuda.cudaError_t.cudaErrorMemoryAllocation,)
        with pytest.raises(StepFailed, match=r"CUDA: .* \(cudaErrorMemoryAllocation\)"):
            call()
    assert "launch" in cuda.calls


@pytest.mark.parametrize("kind", [TensorRT, TensorRTCUDAGraph])
def test_everything_on_the_gpu_is_freed(machine, plan, kind):
    cuda, _ = machine
    with kind(plan, SIGNATURE, {}) as runner:
        runner.infer(rows(2))
        runner.infer(rows(4))
        assert cuda.memory
    assert cuda.memory == {}
    assert cuda.graphs == 0


def test_too_little_memory_is_told_in_cudas_words(monkeypatch, plan):
    install(monkeypatch, limit=8)
    with TensorRT(plan, SIGNATURE, {}) as runner, pytest.raises(StepFailed, match="cudaErrorMemoryAllocation"):
        runner.infer(rows(2))
