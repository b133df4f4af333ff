"""What a configuration of TensorRT can say, and what is refused with the value and the field."""

from __future__ import annotations

import pytest

from pytest_navigator import (
    TensorRTConfig,
    TensorRTPrecision,
    TensorRTPrecisionMode,
    TensorRTProfile,
    TensorRTRTXConfig,
)
from pytest_navigator.backends.tensorrt.format import TensorRTFormat, TensorRTRTXFormat
from pytest_navigator.core.variants import Variant
from pytest_navigator.errors import ConfigError, StepFailed

ONNX = Variant("onnx", "onnx", None, "model.onnx")


def keys(config, form=None):
    return [variant.key for variant in (form or TensorRTFormat()).variants(config, [ONNX])]


def test_an_engine_is_made_for_each_precision():
    assert keys(TensorRTConfig()) == ["trt-fp32", "trt-fp16"]
    assert keys(TensorRTConfig(precision=TensorRTPrecision.INT8)) == ["trt-int8"]
    assert keys(TensorRTRTXConfig(precision="bf16"), TensorRTRTXFormat()) == ["trt-rtx-bf16"]


def test_both_precision_modes_are_two_engines():
    config = TensorRTConfig(precision="fp16", precision_mode=TensorRTPrecisionMode.MIXED)
    assert keys(config) == ["trt-fp16", "trt-fp16-single"]


def test_engines_of_several_onnx_files_are_told_apart():
    parents = [ONNX, Variant("onnx-trace", "onnx", None, "model.onnx")]
    found = [v.key for v in TensorRTFormat().variants(TensorRTConfig(precision="fp16"), parents)]
    assert found == ["trt-fp16", "trt-trace-fp16"]


def test_a_precision_that_is_not_made_by_default_is_asked_for_by_its_key():
    assert TensorRTFormat().named("trt-int8") == TensorRTConfig(precision="int8")
    assert TensorRTRTXFormat().named("trt-rtx-fp8") == TensorRTRTXConfig(precision="fp8")
    assert TensorRTFormat().named("trt-int4") is None
    assert TensorRTFormat().named("trt-rtx-fp8") is None


@pytest.mark.parametrize(
    "profile",
    [
        TensorRTProfile().add("x", min=(1, 3), opt=(4, 3), max=(8, 3)),
        {"x": {"min": (1, 3), "opt": (4, 3), "max": (8, 3)}},
        {"x": [(1, 3), (4, 3), (8, 3)]},
        {"x": {"shapes": [[1, 3], [4, 3], [8, 3]]}},
    ],
)
def test_a_profile_is_written_in_several_ways(profile):
    plain = {"x": {"shapes": [[1, 3], [4, 3], [8, 3]]}}
    assert TensorRTConfig(trt_profiles=profile).trt_profiles == (plain,)
    assert TensorRTConfig(trt_profile=profile).trt_profiles == (plain,)
    assert TensorRTConfig(trt_profiles=[profile, profile]).trt_profiles == (plain, plain)


def test_a_profile_of_axes_is_one_of_the_old_documents():
    assert TensorRTConfig(trt_profiles={"x": {0: (1, 4, 8)}}).trt_profiles == ({"x": {"axes": {"0": [1, 4, 8]}}},)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"precision": "fp61"}, "precision='fp61' is not possible"),
        ({"precision": ()}, "precision"),
        ({"precision": ("fp16", "fp16")}, "precision"),
        ({"precision": "nvfp4"}, "nvfp4 needs a model that was quantized by ModelOpt"),
        ({"precision_mode": "both"}, "precision_mode='both' is not possible"),
        ({"max_workspace_size": 0}, "max_workspace_size=0 is not a whole number of 1 or more"),
        ({"optimization_level": 6}, "optimization_level=6 is not a whole number from 0 to 5"),
        ({"compatibility_level": "ampere"}, "compatibility_level='ampere' is not possible"),
        ({"trt_profiles": "x"}, "'x' is no profile; write nav.TensorRTProfile"),
        ({"trt_profiles": {"x": [(1,), (2,)]}}, "three shapes of one length"),
        ({"trt_profiles": {"x": [(4,), (2,), (8,)]}}, r"sizes \(4, 2, 8\) of an axis are not min <= opt <= max"),
        ({"trt_profiles": {"x": {0: (4, 2, 1)}}}, r"sizes \(4, 2, 1\) of an axis are not min <= opt <= max"),
        ({"trt_profile": {}, "trt_profiles": {}}, "trt_profile is the older name of trt_profiles"),
        ({"onnx_parser_flags": [1]}, "write names: 'native_instancenorm'"),
        ({"model_path": "/no/such.plan", "precision": "fp16"}, "model_path='/no/such.plan' is no file"),
        ({"custom_args": {"max_aux_streams": object()}}, "options of `polygraphy convert`"),
        ({"device": "tpu"}, "device='tpu' is not possible"),
        ({"device": "cuda:1"}, "CUDA_VISIBLE_DEVICES chooses which that is"),
        ({"workspace": 1}, "unknown field of TensorRTConfig 'workspace'"),
    ],
)
def test_what_is_not_possible_is_refused_with_the_field(fields, message):
    with pytest.raises(ConfigError, match=message):
        TensorRTConfig(**fields)


@pytest.mark.parametrize("given", ["8.6", ["8.6"], [(8, 6)]])
def test_compute_capabilities_are_texts_or_pairs(given):
    assert TensorRTRTXConfig(compute_capabilities=given).compute_capabilities == ("8.6",)


@pytest.mark.parametrize("given", ["sm_86", [86], [], ["8"]])
def test_other_compute_capabilities_are_refused(given):
    with pytest.raises(ConfigError, match=r"write '8\.6'"):
        TensorRTRTXConfig(compute_capabilities=given)


def test_a_ready_engine_has_one_precision(tmp_path):
    (tmp_path / "model.plan").write_bytes(b"ptrt")
    with pytest.raises(ConfigError, match="name its precision"):
        TensorRTConfig(model_path=tmp_path / "model.plan")
    assert TensorRTConfig(model_path=tmp_path / "model.plan", precision="fp16").precision == ("fp16",)


def test_what_a_ready_engine_depends_on_is_its_content(tmp_path):
    plan, found = tmp_path / "model.plan", []
    for content in (b"ptrt1", b"ptrt2"):
        plan.write_bytes(content)
        (variant,) = TensorRTFormat().variants(TensorRTConfig(model_path=plan, precision="fp16"), [ONNX])
        found.append(TensorRTFormat().depends_on(variant))
    assert found[0] != found[1]


def test_a_ready_file_that_is_no_engine_is_refused(tmp_path):
    (tmp_path / "model.plan").write_bytes(b"junk")
    (variant,) = TensorRTFormat().variants(TensorRTConfig(model_path=tmp_path / "model.plan", precision="fp16"), [ONNX])
    (tmp_path / "trt-fp16").mkdir()
    with pytest.raises(StepFailed, match="is no engine of TensorRT"):
        TensorRTFormat().convert(tmp_path, None, None, variant, tmp_path / "trt-fp16" / "model.plan")
