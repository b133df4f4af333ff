"""The command line of Polygraphy that builds an engine."""

from __future__ import annotations

import pytest

from pytest_navigator import TensorRTConfig, TensorRTRTXConfig
from pytest_navigator.backends.tensorrt.command import convert
from pytest_navigator.backends.tensorrt.format import TensorRTFormat, TensorRTRTXFormat
from pytest_navigator.core.variants import Variant

ONNX = Variant("onnx", "onnx", None, "model.onnx")
PROFILE = {"x": {"min": [1, 3], "opt": [4, 3], "max": [8, 3]}, "y": {"min": [1], "opt": [2], "max": [3]}}
BEGIN = ["convert", "onnx/model.onnx", "--convert-to", "trt", "--output", "trt-fp32/model.plan", "--strongly-typed"]


def command(config, *profiles):
    form = TensorRTRTXFormat() if isinstance(config, TensorRTRTXConfig) else TensorRTFormat()
    (variant,) = form.variants(config, [ONNX])
    return convert("onnx/model.onnx", f"{variant.key}/model.plan", variant.parameters, profiles)


def test_every_network_is_strongly_typed_and_float32_may_be_tf32():
    assert command(TensorRTConfig(precision="fp32")) == [*BEGIN, "--tf32"]


def test_float32_alone_is_float32():
    assert command(TensorRTConfig(precision="fp32", precision_mode="single")) == BEGIN


def test_every_profile_names_every_input():
    one = ["--trt-min-shapes", "x:[1,3]", "y:[1]", "--trt-opt-shapes", "x:[4,3]", "y:[2]"]
    one += ["--trt-max-shapes", "x:[8,3]", "y:[3]"]
    found = command(TensorRTConfig(precision="fp32", precision_mode="single"), PROFILE, PROFILE)
    assert found == [*BEGIN, *one, *one]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, False),
        ({"version_compatible": True}, True),
        ({"--version-compatible": True}, True),
        ({"version_compatible": False}, False),
    ],
)
def test_a_version_compatible_engine_runs_with_later_versions(given, expected):
    (variant,) = TensorRTFormat().variants(TensorRTConfig(precision="fp32", custom_args=given), [ONNX])

    assert TensorRTFormat().built_by(variant.parameters).later is expected


@pytest.mark.parametrize(
    ("fields", "options"),
    [
        ({"max_workspace_size": 2**30}, ["--pool-limit", "workspace:1073741824"]),
        ({"optimization_level": 0}, ["--builder-optimization-level", "0"]),
        ({"compatibility_level": "ampere_plus"}, ["--hardware-compatibility-level", "ampere_plus"]),
        ({"compatibility_level": "none"}, []),
        ({"sparse_weights": True}, ["--sparse-weights"]),
        ({"onnx_parser_flags": "native_instancenorm"}, ["--onnx-flags", "native_instancenorm"]),
        (
            {"timing_cache_dir": "/caches"},
            ["--load-timing-cache", "/caches/timing.cache", "--save-timing-cache", "/caches/timing.cache"],
        ),
        ({"custom_args": {"max_aux_streams": 2}}, ["--max-aux-streams", "2"]),
        ({"custom_args": {"refittable": True, "strip_plan": False, "use_dla": None}}, ["--refittable"]),
        ({"custom_args": {"preview_features": ["a", "b"]}}, ["--preview-features", "a", "b"]),
    ],
)
def test_each_field_is_an_option(fields, options):
    assert command(TensorRTConfig(precision="fp32", precision_mode="single", **fields)) == [*BEGIN, *options]


def test_an_engine_of_rtx_is_for_the_gpus_that_are_named():
    found = command(TensorRTRTXConfig(precision="fp32", compute_capabilities=("8.6", "8.9")))
    assert found[-3:] == ["--compute-capabilities", "8.6", "8.9"]
    assert "--tf32" not in found  # which RTX has by itself


def test_for_rtx_a_script_turns_tf32_off():
    found = command(TensorRTRTXConfig(precision="fp32", precision_mode="single"))
    assert found[-2:] == ["--trt-config-postprocess-script", "trt-rtx-fp32/no_tf32.py"]
