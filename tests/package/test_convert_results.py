"""`convert_results.yaml` says of every conversion what became of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from pytest_navigator.core.records import Outcome
from pytest_navigator.core.steps import Status
from pytest_navigator.package.container.writer import dump
from pytest_navigator.package.layout.convert_results import build, converted, first_successful
from tests.package.recorded import DIGEST, SOURCE, VARIANTS, correctness, outcomes, results

if TYPE_CHECKING:
    from pytest_navigator.package.query.results import Results

FILE = replace(VARIANTS[2], key="torchscript")
ONNX = replace(VARIANTS[3], parent="torchscript")
TRT = VARIANTS[4]
MADE = Outcome("convert", Status.PASSED, "onnx", digest=DIGEST, data={"opset": 18})


def converted_file(*steps: Outcome, with_signature: bool = True) -> Results:
    """Return the results of a TorchScript file, from which ONNX is made, and of that TensorRT."""
    suite = {"framework": "torchscript", "variants": (FILE, ONNX, TRT), "provided": ("torchscript",)}
    found = results([SOURCE, *steps], **suite)
    return found if with_signature else replace(found, signature=None)


def states(found: Results) -> dict[str, tuple[str, str]]:
    entries: list[Any] = build(found, "model-0f1a7a", {})
    return {v.key: tuple(e["status"].values())[:2] for v, e in zip(converted(found), entries, strict=True)}


def test_an_entry_has_model_navigators_keys_and_what_they_mean() -> None:
    passed = correctness("onnx", "OnnxCPU")

    entry: Any = yaml.safe_load(dump(build(converted_file(MADE, passed), "model-0f1a7a", {"input__0": [0.0, 1.0]})[0]))

    measured = {"output__0": {"atol": 1e-6, "rtol": float("inf")}}
    assert entry == {
        "status": {"state": "succeeded", "message": "", "log_path": "model-0f1a7a/onnx/format.log"},
        "source_model_config": {
            "model_name": "linear",
            "model_path": "model-0f1a7a/torchscript/model.pt",
            "model_format": "torchscript",
        },
        "conversion_config": {
            "target_format": "onnx",
            "onnx_opsets": [18],
            "parameters": {"opset": 18, "device": None},
        },
        "model_signature_config": {
            "inputs": {"input__0": {"name": "input__0", "shape": [-1, 5], "dtype": "float32"}},
            "outputs": {"output__0": {"name": "output__0", "shape": [-1, 7], "dtype": "float32"}},
        },
        "comparator_config": {"atol": {"output__0": 1e-6}},
        "dataset_profile": {
            "min_shapes": {"input__0": [1, 5]},
            "opt_shapes": {"input__0": [3, 5]},
            "max_shapes": {"input__0": [3, 5]},
            "value_ranges": {"input__0": [0.0, 1.0]},
            "dtypes": {"input__0": "float32"},
        },
        "output_model": {
            "name": "onnx",
            "path": "model-0f1a7a/onnx/model.onnx",
            "format": "onnx",
            "sha256": DIGEST,
            "correctness": {"OnnxCPU": {"status": "passed", "message": "", "outputs": measured}},
        },
        "framework_docker_image": None,
    }


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([MADE, correctness("onnx", "OnnxCPU")], ("succeeded", "")),
        (
            [
                MADE,
                correctness("onnx", "OnnxCPU"),
                Outcome("correctness", Status.SKIPPED, "onnx", "OnnxCUDA", message="no CUDA device"),
            ],
            ("succeeded", ""),
        ),
        (
            [MADE, correctness("onnx", "OnnxCPU", status=Status.FAILED, message="off by 1")],
            ("failed", "OnnxCPU: off by 1"),
        ),
        (
            [
                MADE,
                correctness("onnx", "OnnxCPU"),
                correctness("onnx", "OnnxCUDA", status=Status.FAILED, message="off"),
            ],
            ("failed", "OnnxCUDA: off"),
        ),
        ([replace(MADE, status=Status.XFAILED, message="no operator")], ("failed", "no operator")),
        ([replace(MADE, status=Status.SKIPPED, message="onnx is missing")], ("skipped", "onnx is missing")),
        (
            [MADE, Outcome("correctness", Status.SKIPPED, "onnx", "OnnxCPU", message="onnxruntime is missing")],
            ("skipped", "onnxruntime is missing"),
        ),
        ([MADE], ("skipped", "no runner was asked")),
        ([], ("skipped", "it was not asked for in this run")),
    ],
)
def test_a_conversion_succeeded_if_its_numbers_are_right(steps: list[Outcome], expected: tuple[str, str]) -> None:
    found = converted_file(*steps)

    assert states(found)["onnx"] == expected
    assert (first_successful(found) == ONNX) is (expected[0] == "succeeded")


def test_what_was_not_made_has_no_output() -> None:
    entry: Any = build(converted_file(replace(MADE, status=Status.FAILED)), "model", {})[0]

    assert entry["output_model"] is None


def test_a_source_that_failed_leaves_every_entry() -> None:
    found = converted_file(with_signature=False)

    assert set(states(found)) == {"onnx", "trt-fp16"}
    assert build(found, "model", {})[0]["model_signature_config"] == {}


def test_the_parent_of_a_conversion_is_its_source() -> None:
    entry: Any = build(converted_file(MADE), "model", {})[1]

    assert entry["source_model_config"]["model_path"] == "model/onnx/model.onnx"
    assert entry["source_model_config"]["model_format"] == "onnx"


def test_a_source_whose_own_format_is_named_is_the_last_conversion() -> None:
    found = converted_file(MADE, correctness("torchscript", "TorchScriptCPU"))
    found = replace(found, suite=replace(found.suite, named=("torchscript", "onnx")))

    assert [variant.key for variant in converted(found)] == ["onnx", "trt-fp16", "torchscript"]
    entry: Any = build(found, "model", {})[-1]
    assert entry["source_model_config"]["model_path"] == entry["output_model"]["path"] == "model/torchscript/model.pt"


def test_the_source_itself_is_no_conversion() -> None:
    assert [variant.key for variant in converted(results(outcomes()))] == [variant.key for variant in VARIANTS[1:]]
    assert [variant.key for variant in converted(converted_file())] == ["onnx", "trt-fp16"]
