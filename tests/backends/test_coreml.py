"""What a file of Core ML has to say: its types, its sizes, and what the configuration may ask for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pytest_navigator.backends.coreml import tensors
from pytest_navigator.backends.coreml.format import CoreMLConfig, CoreMLFormat
from pytest_navigator.backends.coreml.runner import converted
from pytest_navigator.core.records import LoaderRecord, Signature, TensorSpec
from pytest_navigator.core.variants import Variant
from pytest_navigator.errors import ConfigError, InputError, StepFailed

IDS = TensorSpec("ids", (-1, 4), "int64", {0: "batch"})
SCORES = TensorSpec("scores", (-1, 3), "float64", {0: "batch"})
LOADER = LoaderRecord({"ids": {"min": [2, 4], "opt": [3, 4], "max": [6, 4]}}, 6, 8)

PARENT = Variant("torch-exportedprogram", "torch-exportedprogram", None, "model.pt2", {}, ())


def signature(*outputs: TensorSpec) -> Signature:
    return Signature((IDS,), outputs or (SCORES,), {}, {}, 0, "torch")


def told(**more: Any) -> dict[str, Any]:
    ids = {"name": "ids", "dtype": "int32", "sizes": [[1, 8], [4, 4]], **more}
    return {"inputs": [ids], "outputs": [{"name": "scores", "dtype": "float32", "sizes": []}]}


def test_a_batch_may_have_any_size_up_to_what_is_asked_for_and_other_axes_their_own() -> None:
    shapes = tensors.ranges(LOADER, signature())

    assert shapes == [[[1, 3, 8], [4, 4, 4]]]
    assert tensors.largest(shapes, signature()) == 8
    assert tensors.inputs(signature(), shapes) == [{"name": "ids", "shape": [[1, 3, 8], 4], "dtype": "int32"}]


def test_types_that_core_ml_lacks_are_said_or_refused() -> None:
    assert tensors.note(signature()) == "ids: int64 is int32 there; scores: float64 is float32 there"
    with pytest.raises(StepFailed, match="'mask' is bool, which no array of Core ML can be"):
        tensors.check_types(signature(TensorSpec("mask", (-1,), "bool", {0: "batch"})))


@pytest.mark.parametrize(
    ("dtype", "there"), [("float64", "float32"), ("float16", "float16"), ("uint8", "int32"), ("int64", "int32")]
)
def test_numbers_are_given_in_the_type_that_the_file_has(dtype: str, there: str) -> None:
    given = np.array([1, 2], dtype)

    assert converted("ids", given, tensors.TYPES[dtype]).dtype == there
    assert not np.shares_memory(converted("ids", given, tensors.TYPES[dtype]), given) or dtype == there


def test_a_number_beyond_the_type_of_the_file_is_refused_and_never_wrapped() -> None:
    with pytest.raises(InputError, match="input 'ids' has numbers beyond int32, which Core ML has in place of int64"):
        converted("ids", np.array([2**31], "int64"), "int32")


def test_a_number_without_an_axis_is_refused_by_its_name() -> None:
    scale = replace(signature(), inputs=(IDS, TensorSpec("scale", (), "float32", {})))

    with pytest.raises(StepFailed, match="'scale' has no axis, and Core ML takes arrays only"):
        CoreMLFormat().check_fit(CoreMLFormat().variants(CoreMLConfig(), [PARENT])[0], LOADER, scale)


def test_a_system_that_coremltools_does_not_know_is_refused_with_the_nearest_one() -> None:
    known = ["iOS17", "iOS18", "macOS14"]

    tensors.check_target(None, known)
    tensors.check_target("macOS14", known)
    with pytest.raises(StepFailed, match=r"knows no minimum_deployment_target 'iOS99'; did you mean 'iOS1.'"):
        tensors.check_target("iOS99", known)


def test_what_was_written_is_compared_with_the_model() -> None:
    shapes = tensors.ranges(LOADER, signature())
    tensors.check_written(told(), signature(), shapes)

    for other in ({"dtype": "float32"}, {"name": "x"}, {"sizes": [[1, 1], [4, 4]]}):
        with pytest.raises(StepFailed, match="the file says of its inputs"):
            tensors.check_written(told(**other), signature(), shapes)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"precision": "int8"}, r"CoreMLConfig.precision='int8' is not possible \(valid: 'fp32', 'fp16'\)"),
        ({"compute_units": "NPU"}, "CoreMLConfig.compute_units='NPU' is not possible"),
        ({"minimum_deployment_target": "iPhone"}, "CoreMLConfig.minimum_deployment_target='iPhone' is not possible"),
        ({"custom_args": {"convert_to": "neuralnetwork"}}, "convert_to.* is not possible: it is set here"),
    ],
)
def test_impossible_values_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        CoreMLConfig(**fields)


def test_the_suffix_of_a_program_stays_in_the_key() -> None:
    config = CoreMLConfig(precision=("fp32", "fp16"))

    assert [each.key for each in CoreMLFormat().variants(config, [PARENT])] == ["coreml", "coreml-fp16"]
