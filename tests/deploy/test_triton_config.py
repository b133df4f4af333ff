"""Configurations of Triton's models: Model Navigator's names and defaults, and what the server reads of them."""

from __future__ import annotations

import re
from dataclasses import MISSING, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np
import pytest

from pytest_navigator import triton
from pytest_navigator.deploy.triton.message import config_text
from pytest_navigator.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    Parsed = Callable[[str], dict[str, Any]]

X = triton.InputTensorSpec("x", (5,), np.float32)
Y = triton.OutputTensorSpec("y", (-1, 3), np.float32)
PYTHON = {"inputs": [X], "outputs": [Y]}

# Model Navigator 0.14's fields with their defaults; those without one are None.
DEFAULTS = {
    "ONNXModelConfig": {
        "max_batch_size": 4,
        "batching": True,
        "default_model_filename": None,
        "batcher": triton.DynamicBatcher(),
        "instance_groups": [],
        "parameters": {},
        "response_cache": False,
        "warmup": {},
        "inputs": [],
        "outputs": [],
        "platform": None,
        "optimization": None,
    },
    "DynamicBatcher": {
        "max_queue_delay_microseconds": 0,
        "preferred_batch_size": None,
        "preserve_ordering": False,
        "priority_levels": 0,
        "default_priority_level": 0,
        "default_queue_policy": None,
        "priority_queue_policy": None,
    },
    "QueuePolicy": {
        "timeout_action": triton.TimeoutAction.REJECT,
        "default_timeout_microseconds": 0,
        "allow_timeout_override": False,
        "max_queue_size": 0,
    },
    "SequenceBatcher": {
        "strategy": None,
        "max_sequence_idle_microseconds": None,
        "control_inputs": [],
        "states": [],
    },
    "InstanceGroup": {
        "kind": None,
        "count": None,
        "name": None,
        "gpus": [],
        "passive": False,
        "host_policy": None,
        "profile": [],
    },
    "ModelWarmup": {"inputs": None, "batch_size": 1, "iterations": 0},
    "TensorRTAccelerator": {
        "precision": triton.TensorRTOptPrecision.FP32,
        "max_workspace_size": None,
        "max_cached_engines": None,
        "minimum_segment_size": None,
    },
    "TensorRTOptimization": {"cuda_graphs": False, "gather_kernel_buffer_threshold": None, "eager_batching": False},
    "InputTensorSpec": {
        "name": None,
        "shape": None,
        "dtype": None,
        "reshape": None,
        "is_shape_tensor": False,
        "optional": False,
        "format": None,
        "allow_ragged_batch": False,
    },
}


@pytest.mark.parametrize("name", DEFAULTS)
def test_fields_and_defaults_are_model_navigators(name: str) -> None:
    found = {}
    for field in fields(getattr(triton, name)):
        default = field.default_factory() if field.default_factory is not MISSING else field.default
        if not field.kw_only:
            found[field.name] = None if default is MISSING else default

    assert found == DEFAULTS[name]


def test_the_smallest_configuration_is_read_with_its_batches(parsed: Parsed) -> None:
    found = parsed(config_text("m", triton.ONNXModelConfig(inputs=[X], outputs=[Y])))

    assert found == {
        "name": "m",
        "backend": "onnxruntime",
        "max_batch_size": 4,
        "input": [{"name": "x", "data_type": "TYPE_FP32", "dims": ["5"]}],
        "output": [{"name": "y", "data_type": "TYPE_FP32", "dims": ["-1", "3"]}],
        "dynamic_batching": {},
    }


def test_without_batching_there_is_no_batcher_and_the_size_is_0() -> None:
    text = config_text("m", triton.ONNXModelConfig(batching=False, inputs=[X]))

    assert "max_batch_size: 0\n" in text
    assert "batching" not in text


def test_one_number_a_row_is_an_axis_of_one_that_is_taken_away(parsed: Parsed) -> None:
    outputs = [triton.OutputTensorSpec("y", (), np.int64), triton.OutputTensorSpec("z", (1,), np.int64, reshape=())]

    found = parsed(config_text("m", triton.ONNXModelConfig(inputs=[X], outputs=outputs)))

    scalar = {"data_type": "TYPE_INT64", "dims": ["1"], "reshape": {}}
    assert found["output"] == [{"name": "y", **scalar}, {"name": "z", **scalar}]


@pytest.mark.parametrize(
    ("dtype", "name"),
    [
        (np.float16, "FP16"),
        (np.dtype("float64"), "FP64"),
        (bool, "BOOL"),
        ("uint8", "UINT8"),
        (np.int32, "INT32"),
        (np.uint64, "UINT64"),
        (ml_dtypes.bfloat16, "BF16"),
        (str, "STRING"),
        (np.bytes_, "STRING"),
        (np.object_, "STRING"),
        (np.dtype("<U7"), "STRING"),
    ],
)
def test_types_have_tritons_names(dtype: object, name: str, parsed: Parsed) -> None:
    config = triton.ONNXModelConfig(inputs=[triton.InputTensorSpec("x", (2,), dtype)])

    assert parsed(config_text("m", config))["input"][0]["data_type"] == f"TYPE_{name}"


@pytest.mark.parametrize("dtype", [np.complex64, ml_dtypes.float8_e5m2, "float8_e4m3fn", "int4", "M8[s]", "strange"])
def test_a_type_that_triton_has_no_name_for_is_refused(dtype: object) -> None:
    with pytest.raises(ConfigError, match="InputTensorSpec 'x': Triton has no name for the type"):
        triton.InputTensorSpec("x", (2,), dtype)


def test_every_value_of_the_batcher_is_read(parsed: Parsed) -> None:
    policy = triton.QueuePolicy(triton.TimeoutAction.DELAY, 7, True, 3)
    batcher = triton.DynamicBatcher(100, [2, 4], True, 2, 1, policy, {2: triton.QueuePolicy(max_queue_size=9)})

    found = parsed(config_text("m", triton.PythonModelConfig(batcher=batcher, **PYTHON)))["dynamic_batching"]

    assert found == {
        "max_queue_delay_microseconds": "100",
        "preferred_batch_size": [2, 4],
        "preserve_ordering": True,
        "priority_levels": "2",
        "default_priority_level": "1",
        "default_queue_policy": {
            "timeout_action": "DELAY",
            "default_timeout_microseconds": "7",
            "allow_timeout_override": True,
            "max_queue_size": 3,
        },
        "priority_queue_policy": {"2": {"max_queue_size": 9}},
    }


def test_every_value_of_a_sequence_is_read(parsed: Parsed) -> None:
    kinds = triton.SequenceBatcherControlKind
    batcher = triton.SequenceBatcher(
        triton.SequenceBatcherStrategyOldest(4, [2], 7),
        99,
        [
            triton.SequenceBatcherControlInput(
                "flags",
                [
                    triton.SequenceBatcherControl(kinds.CONTROL_SEQUENCE_START, fp32_false_true=[0.0, 1.0]),
                    triton.SequenceBatcherControl(kinds.CONTROL_SEQUENCE_CORRID, np.uint64),
                ],
            )
        ],
        [
            triton.SequenceBatcherState(
                "before",
                "after",
                np.int64,
                (-1,),
                [
                    triton.SequenceBatcherInitialState("zeros", (3,), np.int64, zero_data=True),
                    triton.SequenceBatcherInitialState("file", (3,), np.int64, data_file=Path("some/start.data")),
                ],
            )
        ],
    )

    found = parsed(config_text("m", triton.PythonModelConfig(batcher=batcher, **PYTHON)))["sequence_batching"]

    initial = {"data_type": "TYPE_INT64", "dims": ["3"]}
    assert found == {
        "oldest": {"max_candidate_sequences": 4, "preferred_batch_size": [2], "max_queue_delay_microseconds": "7"},
        "max_sequence_idle_microseconds": "99",
        "control_input": [
            {
                "name": "flags",
                "control": [
                    {"fp32_false_true": [0.0, 1.0]},
                    {"kind": kinds.CONTROL_SEQUENCE_CORRID, "data_type": "TYPE_UINT64"},
                ],
            }
        ],
        "state": [
            {
                "input_name": "before",
                "output_name": "after",
                "data_type": "TYPE_INT64",
                "dims": ["-1"],
                "initial_state": [
                    {"name": "zeros", **initial, "zero_data": True},
                    {"name": "file", **initial, "data_file": "start.data"},
                ],
            }
        ],
    }


def test_instances_parameters_warm_ups_cache_and_versions_are_read(parsed: Parsed) -> None:
    warmup = triton.ModelWarmup({"x": triton.ModelWarmupInput((5,), np.float32, "RANDOM")}, 2, 3)
    config = triton.ONNXModelConfig(
        default_model_filename="my.onnx",
        instance_groups=[triton.InstanceGroup("KIND_CPU", 2), triton.InstanceGroup(gpus=[0, 1], passive=True)],
        parameters={"intra_op_thread_count": 2, "share": True},
        response_cache=True,
        warmup={"two": warmup},
        inputs=[X],
        version_policy="all",
    )

    found = parsed(config_text("m", config))

    assert found["default_model_filename"] == "my.onnx"
    assert found["instance_group"] == [{"kind": "KIND_CPU", "count": 2}, {"gpus": [0, 1], "passive": True}]
    assert found["parameters"] == {
        "intra_op_thread_count": {"string_value": "2"},
        "share": {"string_value": "true"},
    }
    assert found["response_cache"] == {"enable": True}
    assert found["version_policy"] == {"all": {}}
    assert found["model_warmup"] == [
        {
            "name": "two",
            "batch_size": 2,
            "count": 3,
            "inputs": {"x": {"data_type": "TYPE_FP32", "dims": ["5"], "random_data": True}},
        }
    ]


TRT = triton.TensorRTAccelerator("fp16", max_workspace_size=2, minimum_segment_size=3)
OPTIMIZATIONS = {
    "OpenVINO": (
        triton.ONNXModelConfig(optimization=triton.ONNXOptimization(triton.OpenVINOAccelerator())),
        {"execution_accelerators": {"cpu_execution_accelerator": [{"name": "openvino"}]}},
    ),
    "TensorRT in ONNX Runtime": (
        triton.ONNXModelConfig(optimization=triton.ONNXOptimization(TRT)),
        {
            "execution_accelerators": {
                "gpu_execution_accelerator": [
                    {
                        "name": "tensorrt",
                        "parameters": {
                            "precision_mode": "FP16",
                            "max_workspace_size_bytes": "2097152",
                            "trt_min_subgraph_size": "3",
                        },
                    }
                ]
            }
        },
    ),
    "an engine without eager batches": (
        triton.TensorRTModelConfig(optimization=triton.TensorRTOptimization(cuda_graphs=True)),
        {"cuda": {"graphs": True}},
    ),
    "an engine": (
        triton.TensorRTModelConfig(optimization=triton.TensorRTOptimization(False, 4, True)),
        {"gather_kernel_buffer_threshold": 4, "eager_batching": True},
    ),
    "mixed precision in TensorFlow": (
        triton.TensorFlowModelConfig(
            optimization=triton.TensorFlowOptimization(triton.AutoMixedPrecisionAccelerator())
        ),
        {"execution_accelerators": {"gpu_execution_accelerator": [{"name": "auto_mixed_precision"}]}},
    ),
}


@pytest.mark.parametrize("name", OPTIMIZATIONS)
def test_what_makes_a_model_faster_is_read(name: str, parsed: Parsed) -> None:
    config, expected = OPTIMIZATIONS[name]

    assert parsed(config_text("m", config))["optimization"] == expected


def test_names_with_any_characters_are_read_as_they_are(parsed: Parsed) -> None:
    name = 'ü "quoted" \\ back\nslash\t\x01'

    found = parsed(config_text("m", triton.ONNXModelConfig(inputs=[triton.InputTensorSpec(name, (1,), "bool")])))

    assert found["input"][0]["name"] == name


def test_a_platform_stands_in_the_place_of_the_backend(parsed: Parsed) -> None:
    found = parsed(config_text("m", triton.TensorRTModelConfig(platform=triton.Platform.TensorRTPlan)))

    assert (found["platform"], "backend" in found) == ("tensorrt_plan", False)


WRONG: dict[str, tuple[Callable[[], object], str]] = {
    "a batch of none": (
        lambda: triton.ONNXModelConfig(max_batch_size=0),
        "(max_batch_size=0): a whole number",
    ),
    "a preferred size above the largest": (
        lambda: triton.ONNXModelConfig(max_batch_size=4, batcher=triton.DynamicBatcher(preferred_batch_size=[2, 8])),
        "it prefers batches of 8, above max_batch_size=4",
    ),
    "GPUs of the CPU": (
        lambda: triton.InstanceGroup(triton.DeviceKind.KIND_CPU, gpus=[0]),
        "InstanceGroup(gpus=[0]): instances of KIND_CPU have none",
    ),
    "an unknown kind": (lambda: triton.InstanceGroup("KIND_TPU"), "one of DeviceKind.KIND_AUTO, DeviceKind.KIND_CPU"),
    "no instances": (lambda: triton.InstanceGroup(count=0), "InstanceGroup(count=0): a whole number from 1 on"),
    "an axis of 0": (lambda: triton.InputTensorSpec("x", (0, 2), "bool"), "InputTensorSpec(shape=(0, 2))"),
    "no type": (lambda: triton.InputTensorSpec("x", (2,)), "the type of 'x' is needed"),
    "a reshape of other elements": (
        lambda: triton.InputTensorSpec("x", (2, 3), "bool", reshape=(4,)),
        "InputTensorSpec(reshape=(4,)): it has another number of elements than shape=(2, 3)",
    ),
    "a number without batching": (
        lambda: triton.ONNXModelConfig(batching=False, outputs=[triton.OutputTensorSpec("y", (), "bool")]),
        "'y': Triton has no arrays without an axis where there is no batch axis",
    ),
    "two inputs of one name": (lambda: triton.ONNXModelConfig(inputs=[X, X]), "'x' is there twice"),
    "a signature that nobody says": (lambda: triton.PyTorchModelConfig(), "PyTorchModelConfig(inputs=[]): the file"),
    "a platform of another backend": (
        lambda: triton.ONNXModelConfig(platform=triton.Platform.TensorRTPlan),
        "Platform.ONNXRuntimeONNX is needed",
    ),
    "profiles without an engine": (
        lambda: triton.ONNXModelConfig(instance_groups=[triton.InstanceGroup(profile=["0"])]),
        "only an engine of TensorRT has optimization profiles",
    ),
    "a warm-up of other inputs": (
        lambda: triton.ONNXModelConfig(
            inputs=[X], warmup={"w": triton.ModelWarmup({"z": triton.ModelWarmupInput((5,), "bool", "ZERO")})}
        ),
        "the inputs of 'w' are {'z': 'TYPE_BOOL'}, those of the model {'x': 'TYPE_FP32'}",
    ),
    "a warm-up above the largest batch": (
        lambda: triton.ONNXModelConfig(
            warmup={"w": triton.ModelWarmup({"x": triton.ModelWarmupInput((5,), "bool", "ZERO")}, batch_size=9)}
        ),
        "'w' has batch_size=9, the model takes 4 at most",
    ),
    "a file that no warm-up has": (
        lambda: triton.ModelWarmupInput((5,), "bool", "FILE"),
        "ModelWarmupInput(input_data_file=None)",
    ),
    "a priority that is not there": (
        lambda: triton.DynamicBatcher(0, None, False, 1, 1, priority_queue_policy={2: triton.QueuePolicy()}),
        "each from 1 to priority_levels=1",
    ),
    "engines that ONNX Runtime does not cache": (
        lambda: triton.ONNXOptimization(triton.TensorRTAccelerator(max_cached_engines=2)),
        "max_cached_engines is TensorFlow's",
    ),
    "nothing to optimize": (lambda: triton.TensorRTOptimization(), "one of the three is needed"),
    "a sequence's id with values": (
        lambda: triton.SequenceBatcherControl("CONTROL_SEQUENCE_CORRID", bool_false_true=[False, True]),
        "it has a dtype, and no values for False and True",
    ),
    "versions of no kind": (lambda: triton.ONNXModelConfig(version_policy="some"), "version_policy='some'"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_named_with_its_value(what: str) -> None:
    make, message = WRONG[what]

    with pytest.raises(ConfigError, match=re.escape(message)):
        make()
