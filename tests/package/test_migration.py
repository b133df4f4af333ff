"""A status.yaml of an earlier version becomes one of today's schema."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import yaml

from pytest_navigator.package.layout import schema
from pytest_navigator.package.layout.migration import migrated
from pytest_navigator.package.layout.status_file import parse

TENSORS = [{"name": "x", "shape": [-1, 5], "dtype": "float32"}]
TOLERANCE = [{"output_name": "y", "atol": 1e-6, "rtol": 1e-5}]
FIGURES = {
    "batch_size": 8,
    "avg_latency": 1.5,
    "std_latency": 0.1,
    **{f"p{share}_latency": 1.5 for share in (50, 90, 95, 99)},
    "throughput": 5000.0,
    "request_count": 50,
}

OLDEST: dict[str, Any] = {
    "format_version": "0.1.4",
    "model_navigator_version": "0.3.7",
    "uuid": "x",
    "git_info": {"commit_hash": "0"},
    "environment": {"cpu": {"name": "EPYC"}, "gpu": {"name": "A100"}, "python_version": "3.8.10"},
    "export_config": {
        "framework": "pytorch",
        "model_name": "linear",
        "target_formats": ["torchscript", "onnx", "trt"],
        "sample_count": 100,
        "batch_dim": 0,
        "seed": 0,
        "timestamp": "2022-11-01T10:00:00.000000",
        "_input_names": ["x"],
        "_output_names": ["y"],
        "profiler_config": {"batch_sizes": [1, 8], "measurement_request_count": 50, "stability_percentage": 15.0},
        "opset": 14,
        "dynamic_axes": {"x": {0: "batch"}},
    },
    "model_status": [
        {
            "format": "onnx",
            "path": "onnx/model.onnx",
            "runtime_results": [
                {
                    "runtime": "CUDAExecutionProvider",
                    "status": "OK",
                    "err_msg": {},
                    "tolerance": TOLERANCE,
                    "performance": [FIGURES],
                    "verified": True,
                },
                {
                    "runtime": "CPUExecutionProvider",
                    "status": "FAIL",
                    "tolerance": None,
                    "performance": [],
                    "verified": False,
                },
            ],
        },
        {
            "format": "torchscript",
            "path": "torchscript-script/model.pt",
            "torch_jit": "script",
            "precision": None,
            "runtime_results": [
                {"runtime": "PyTorchExecutionProvider", "tolerance": TOLERANCE, "performance": [], "verified": False}
            ],
        },
        {
            "format": "trt",
            "path": "trt-fp16/model.plan",
            "precision": "fp16",
            "runtime_results": [
                {
                    "runtime": "TrtexecExecutionProvider",
                    "tolerance": TOLERANCE,
                    "performance": [FIGURES],
                    "verified": True,
                }
            ],
        },
        {"format": "torch-trt", "path": None, "runtime_results": []},
    ],
    "input_metadata": TENSORS,
    "output_metadata": [{**TENSORS[0], "name": "y"}],
    "trt_profile": {"x": {"min": [1, 5], "opt": [8, 5], "max": [8, 5]}},
}
"""As Model Navigator 0.3.4 to 0.3.8 wrote it."""


def statuses(status: dict[str, Any]) -> dict[tuple[str, str], dict[str, str]]:
    return {
        (key, runner): found["status"]
        for key, model in status["models_status"].items()
        for runner, found in model["runners_status"].items()
    }


def test_the_generation_of_0_3_becomes_todays_schema() -> None:
    status = parse(yaml.safe_dump(OLDEST).encode())

    assert status["format_version"] == "0.3.2"
    assert statuses(status) == {
        ("onnx", "OnnxCUDA"): {"Correctness": "OK", "Performance": "OK", "VerifyModel": "OK"},
        ("onnx", "OnnxCPU"): {"Correctness": "FAIL", "Performance": "SKIPPED", "VerifyModel": "SKIPPED"},
        ("torchscript-script", "TorchScriptCUDA"): {
            "Correctness": "OK",
            "Performance": "FAIL",
            "VerifyModel": "SKIPPED",
        },
    }
    assert status["models_status"]["trt-fp16"]["model_config"]["precision"] == "fp16"
    assert status["models_status"]["torchscript-script"]["model_config"]["jit_type"] == "script"
    result = status["models_status"]["onnx"]["runners_status"]["OnnxCUDA"]["result"]
    assert result["Performance"]["profiling_results"] == [FIGURES]
    assert result["Correctness"]["per_output_tolerance"] == TOLERANCE
    config = status["config"]
    assert (config["framework"], config["_input_names"]) == ("torch", ["x"])
    assert config["custom_configs"] == {"Onnx": {"opset": 14, "dynamic_axes": {"x": {0: "batch"}}}}
    assert config["optimization_profile"]["window_size"] == 50
    assert status["dataloader_trt_profile"] == OLDEST["trt_profile"]
    assert (status["dataloader_max_batch_size"], status["timestamp"]) == (8, "2022-11-01T10:00:00.000000")
    assert status["input_metadata"]["pytree_metadata"] == {"metadata": "x", "tensor_type": "numpy"}


@pytest.mark.parametrize("version", ["0.1.0", "0.1.1"])
def test_the_first_versions_had_one_latency(version: str) -> None:
    old = deepcopy(OLDEST) | {"format_version": version}
    del old["trt_profile"]
    old["export_config"]["trt_dynamic_axes"] = {"x": {0: [1, 8, 16], 1: [5, 5, 5]}}
    old["model_status"][0]["runtime_results"][0]["performance"] = [
        {"batch_size": 4, "latency": 2.0, "throughput": 2000.0}
    ]

    status = parse(yaml.safe_dump(old).encode())

    (row,) = status["models_status"]["onnx"]["runners_status"]["OnnxCUDA"]["result"]["Performance"]["profiling_results"]
    assert (row["avg_latency"], row["throughput"], row["p50_latency"]) == (2.0, 2000.0, None)
    assert status["dataloader_trt_profile"] == {"x": {"min": [1, 5], "opt": [8, 5], "max": [16, 5]}}


@pytest.mark.parametrize(
    ("version", "config", "expected"),
    [
        (
            "0.2.1",
            {"profiler_config": {"run_profiling": True, "batch_sizes": [1], "measurement_request_count": 7}},
            ("optimization_profile", "window_size", 7),
        ),
        (
            "0.2.2",
            {"custom_configs": {"TensorRT": {"trt_profile": {"x": 1}}}},
            ("custom_configs", "TensorRT", {"trt_profiles": [{"x": 1}]}),
        ),
        (
            "0.3.0",
            {"custom_configs": {"Torch": {"autocast": True}}},
            ("custom_configs", "TorchScript", {"autocast": True}),
        ),
    ],
)
def test_each_later_version_is_migrated(version: str, config: dict[str, Any], expected: tuple[str, str, Any]) -> None:
    old = {"format_version": version, "config": config, "input_metadata": TENSORS, "output_metadata": TENSORS}

    status = migrated(old)

    section, name, value = expected
    assert status["config"][section][name] == value
    assert status["format_version"] == "0.3.2"
    assert old["format_version"] == version  # nothing is changed in place


def test_keyword_arguments_keep_their_names() -> None:
    old = {
        "format_version": "0.2.3",
        "config": {"forward_kw_names": ["first"]},
        "input_metadata": TENSORS,
        "output_metadata": TENSORS,
    }

    status = migrated(old)

    assert status["input_metadata"]["pytree_metadata"]["metadata"] == {"first": "x"}
    assert [status[f"{side}put_metadata"]["is_legacy"] for side in ("in", "out")] == [False, True]
    assert schema.problem(status) == ""


def test_a_status_of_0_3_1_needs_nothing_but_its_version() -> None:
    old = {"format_version": "0.3.1", "config": {"framework": "torch"}}

    assert migrated(old) == {**old, "format_version": "0.3.2"}
