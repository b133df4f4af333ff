"""What PyTriton is told of a package, where it is not installed."""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

import pytest_navigator as nav
from pytest_navigator.deploy.pytriton_classes import DynamicBatcher, ModelConfig, Tensor
from pytest_navigator.errors import ConfigError, PackageError, StrategyError
from tests.package.recorded import outcomes, results

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow  # the packages take a quarter of a minute


def adapter(served: Path, model: str, **keywords: object) -> nav.pytriton.PyTritonAdapter:
    return nav.pytriton.PyTritonAdapter(nav.load(served / f"{model}.nav"), **keywords)


def test_tensors_are_described_without_their_batch_axis(served: Path) -> None:
    found = adapter(served, "states", strategy=nav.MinLatencyStrategy())

    assert found.batching
    assert found.inputs == [Tensor((-1, 4), np.float32, "tokens")]
    assert found.outputs == [Tensor((-1, 3), np.float32, "states"), Tensor((1,), np.float32, "score")]
    assert found.config == ModelConfig(batching=True, max_batch_size=4, batcher=DynamicBatcher())


def test_a_model_without_a_batch_axis_has_full_shapes_and_no_batching(served: Path) -> None:
    found = adapter(served, "points")

    assert found.inputs == [Tensor((-1, 2), np.float32, "points"), Tensor((1,), np.float32, "scale")]
    assert found.config == ModelConfig(batching=False, max_batch_size=0)
    with found.runner as runner:
        outputs = runner.infer({"points": np.ones((5, 2), np.float32), "scale": np.full(1, 3, np.float32)})
    assert outputs["scaled"].tolist() == [[3.0, 3.0]] * 5
    assert outputs["largest"].tolist() == [1.0]


def test_text_is_bytes(served: Path) -> None:
    found = adapter(served, "names")
    requested = {"first": np.array([["Å ".encode()], [b"B "]], object), "last": np.array([[b"x"], [b"longer"]], object)}

    with found.runner as runner:
        outputs = runner.infer(requested)

    assert {tensor.dtype for tensor in (*found.inputs, *found.outputs)} == {np.bytes_}
    assert outputs["name"].tolist() == [["Å x".encode()], [b"B longer"]]


def test_a_runner_that_takes_bytes_can_be_copied(served: Path) -> None:
    runner = adapter(served, "names").runner

    assert copy.copy(runner).runner_name == runner.runner_name


def test_the_largest_batch_that_was_measured_is_that_of_the_runner_that_was_chosen(served: Path) -> None:
    found = adapter(served, "states", format="onnx", runtime="cpu")

    assert (found.runner.format, found.runner.runner_name) == ("onnx", "OnnxCPU")
    assert found.config.max_batch_size == 4


def test_threads_may_share_the_runner(served: Path) -> None:
    with adapter(served, "states", format="onnx").runner as runner, ThreadPoolExecutor(8) as threads:
        rows = [np.full((1, 3, 4), number, np.float32) for number in range(64)]
        alone = [runner.infer({"tokens": row})["score"] for row in rows]

        assert list(threads.map(lambda row: runner.infer({"tokens": row})["score"], rows)) == alone


def test_the_live_model_is_served_once_it_is_given(served: Path) -> None:
    package = nav.load(served / "points.nav")
    chosen = nav.SelectedRuntimeStrategy("torch", "TorchCPU")
    with pytest.raises(StrategyError, match=r"nothing to serve: .*torch on TorchCPU has no figures"):
        nav.pytriton.PyTritonAdapter(package, strategy=chosen)

    package.load_source(_scaled(served))

    assert nav.pytriton.PyTritonAdapter(package, strategy=chosen).runner.format == "torch"


def _scaled(served: Path) -> object:
    namespace: dict[str, object] = {}
    exec((served / "test_points.py").read_text(encoding="utf-8"), namespace)
    return namespace["Scaled"]().eval()


@pytest.mark.parametrize(
    ("keywords", "error", "said"),
    [
        ({"strategy": "fastest"}, ConfigError, "strategies='fastest': not a strategy"),
        ({"strategy": nav.MinLatencyStrategy(), "strategies": []}, ConfigError, "the same keyword: give one"),
        ({"format": "trt"}, PackageError, "there is no trt in this package"),
        ({"verified_only": True}, StrategyError, "nothing to serve: nothing that has figures is verified"),
        ({"strategy": nav.MaxThroughputWithLatencyBudgetStrategy(1e-9)}, StrategyError, "no runner is within 1e-09 ms"),
    ],
)
def test_what_cannot_be_served_is_said(served: Path, keywords: dict, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        adapter(served, "states", **keywords)


def test_what_was_not_checked_is_not_served(served: Path) -> None:
    package = nav.load(served / "names.nav")
    unchecked = [outcome for outcome in package.results.outcomes if outcome.step != "correctness"]
    package.results = replace(package.results, outcomes=tuple(unchecked))

    with pytest.raises(PackageError, match="onnx on OnnxCPU has not passed correctness, and only what has is served"):
        nav.pytriton.PyTritonAdapter(package, format="onnx")


def test_a_type_that_pytriton_cannot_pass_on_is_refused(served: Path) -> None:
    package = nav.load(served / "states.nav")
    signature = package.results.signature
    odd = replace(signature, outputs=(replace(signature.outputs[0], dtype="bfloat16"), *signature.outputs[1:]))
    package.results = replace(package.results, signature=odd)

    with pytest.raises(PackageError, match="'states' is bfloat16, which PyTriton has no type for"):
        nav.pytriton.PyTritonAdapter(package)


def test_a_package_in_which_nothing_was_measured_names_the_way_out(served: Path) -> None:
    package = nav.load(served / "states.nav")
    package.results = results([step for step in outcomes() if step.step == "source"])

    with pytest.raises(StrategyError, match=r"nothing to serve: there are no figures.*format=\.\.\. names"):
        nav.pytriton.PyTritonAdapter(package)
