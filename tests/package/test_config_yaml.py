from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pytest_navigator.package.layout.config_yaml import config, ranges, tolerance
from tests.package.recorded import SOURCE, correctness, outcomes, results

if TYPE_CHECKING:
    from pathlib import Path


def test_the_keys_are_model_navigators() -> None:
    found = results()

    assert config(found, found.variant("onnx"), {"input__0": [0.0, 1.0]}) == {
        "model_name": "linear",
        "target_formats": ["onnx"],
        "onnx_opsets": [18],
        "inputs": {"input__0": {"name": "input__0", "shape": [-1, 5], "dtype": "float32"}},
        "outputs": {"output__0": {"name": "output__0", "shape": [-1, 7], "dtype": "float32"}},
        "max_batch_size": 3,
        "min_shapes": {"input__0": [1, 5]},
        "opt_shapes": {"input__0": [3, 5]},
        "max_shapes": {"input__0": [3, 5]},
        "value_ranges": {"input__0": [0.0, 1.0]},
        "dtypes": {"input__0": "float32"},
        "pytest_navigator": {"key": "onnx", "parent": None, "parameters": {"opset": 18, "device": None}},
    }


def test_a_tensorrt_engine_says_its_precision_and_what_it_is_made_from() -> None:
    found = results()
    content = config(found, found.variant("trt-fp16"), {})

    assert content["tensorrt_precisions"] == ["fp16"]
    assert content["pytest_navigator"]["parent"] == "onnx"
    assert "onnx_opsets" not in content
    assert "value_ranges" not in content


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (None, {"output__0": 1e-6}),
        (1e-3, {"output__0": 1e-3}),
        ({"": 1e-3, "output__0": 1e-4}, {"output__0": 1e-4}),
        ({"*": 1e-3, "torchscript-trace": {"output__0": 1e-2}}, {"output__0": 1e-2}),
        # Said for a format that this suite does not have.
        ({"tf-savedmodel": 1e-3}, {"output__0": 1e-6}),
    ],
)
def test_the_tolerance_is_the_one_asked_for_else_the_measured_one(asked: Any, expected: dict[str, float]) -> None:
    found = results(settings={"atol": {"value": asked, "origin": "nav_config"}})

    assert tolerance(found, found.variant("torchscript-trace"), "atol") == expected


def test_a_measured_tolerance_that_lets_everything_pass_is_left_out() -> None:
    found = results([SOURCE, correctness("torchscript-trace", "TorchScriptCPU", math.inf)])

    assert tolerance(found, found.variant("torchscript-trace"), "atol") == {}


def test_a_failed_comparison_gives_no_tolerance() -> None:
    found = results(outcomes())

    assert tolerance(found, found.variant("onnx"), "atol") == {}


def test_a_tolerance_that_failed_the_step_does_not_fail_the_package() -> None:
    found = results(settings={"atol": {"value": {"logits": "much"}, "origin": "nav_config"}})

    assert tolerance(found, found.variant("torchscript-trace"), "atol") == {"output__0": 1e-6}


def test_ranges_are_taken_over_all_samples(tmp_path: Path) -> None:
    np.savez(tmp_path / "0.npz", x=np.array([1.0, np.nan, np.inf]), ids=np.array([3]), text=np.array(["a"]))
    np.savez(tmp_path / "1.npz", x=np.array([-2.5]), ids=np.array([], dtype=np.int64))

    assert ranges(tmp_path) == {"x": [-2.5, 1.0], "ids": [3, 3]}


def test_a_damaged_sample_and_a_missing_folder_have_no_ranges(tmp_path: Path) -> None:
    (tmp_path / "0.npz").write_bytes(b"PK but no more")

    assert ranges(tmp_path) == {}
    assert ranges(tmp_path / "none") == {}
