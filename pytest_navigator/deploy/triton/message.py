"""A configuration as the fields of Triton's `ModelConfig` (pure): names are those of its model_config.proto."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_navigator.deploy.triton import sequences, values
from pytest_navigator.deploy.triton.batching import DynamicBatcher
from pytest_navigator.deploy.triton.pbtxt import Name, entries, text
from pytest_navigator.deploy.triton.tensors import InputTensorSpec, OutputTensorSpec, triton_type

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_navigator.deploy.triton.model_config import ModelConfig
    from pytest_navigator.deploy.triton.pbtxt import Message

# Names of fields that are others in the protobuf.
NAMES = {
    "shape": "dims",
    "dtype": "data_type",
    "controls": "control",
    "control_inputs": "control_input",
    "states": "state",
    "initial_states": "initial_state",
    "iterations": "count",
}

MIB = 2**20


def config_text(name: str, config: ModelConfig) -> str:
    """Return the content of `config.pbtxt`."""
    return text(message(name, config))


def message(name: str, config: ModelConfig) -> Message:
    """Return the fields of a model's configuration, in the order in which people read them."""
    platform, optimization = getattr(config, "platform", None), getattr(config, "optimization", None)
    found = {
        "name": name,
        **({"platform": str(platform)} if platform else {"backend": config.backend}),
        "default_model_filename": config.default_model_filename,
        "max_batch_size": config.max_batch_size if config.batching else 0,
        "input": [_plain(spec) for spec in config.inputs],
        "output": [_plain(spec) for spec in config.outputs],
        **(_scheduler(config.batcher) if config.batching and config.batcher else {}),
        "instance_group": [_plain(group) for group in config.instance_groups],
        "optimization": OPTIMIZATIONS[type(optimization)](optimization) if optimization else None,
        "parameters": entries({key: {"string_value": _parameter(each)} for key, each in config.parameters.items()}),
        "model_warmup": [{"name": each, **_plain(warmup)} for each, warmup in config.warmup.items()],
        "response_cache": {"enable": True} if config.response_cache else None,
        "version_policy": _versions(config.version_policy),
    }
    return {key: value for key, value in found.items() if value is not None and value != []}


def _scheduler(batcher: DynamicBatcher | sequences.SequenceBatcher) -> dict[str, Any]:
    dynamic = isinstance(batcher, DynamicBatcher)
    return {"dynamic_batching" if dynamic else "sequence_batching": _plain(batcher)}


def _plain(value: Any) -> Any:
    """Return a value as plain data; of a dataclass what differs from its defaults."""
    if is_dataclass(value):
        return FORMS.get(type(value), _fields)(value)
    if isinstance(value, Enum):
        return Name(value.value)
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value.name if isinstance(value, Path) else value


def _fields(value: Any, *left_out: str) -> dict[str, Any]:
    found = {}
    for field in fields(value):
        own = getattr(value, field.name)
        if field.name == "dtype" and own is not None:
            found[NAMES["dtype"]] = Name(triton_type(own))
        elif field.name not in left_out and not _unsaid(own, field.default):
            found[NAMES.get(field.name, field.name)] = _plain(own)
    return found


def _unsaid(value: Any, default: Any) -> bool:
    return value is None or value == default or (isinstance(value, list | tuple | Mapping) and not value)


def _tensor(spec: InputTensorSpec | OutputTensorSpec) -> dict[str, Any]:
    # One number a row has no axis of its own, which Triton says in this way.
    shape, reshape = (spec.shape, spec.reshape) if spec.shape else ((1,), ())
    found = _fields(spec, "shape", "reshape")
    placed = {"name": found.pop("name"), "data_type": found.pop("data_type"), "dims": list(shape)}
    return {**placed, **({} if reshape is None else {"reshape": {"shape": list(reshape)}}), **found}


def _dynamic(batcher: DynamicBatcher) -> dict[str, Any]:
    policies = {level: _plain(policy) for level, policy in (batcher.priority_queue_policy or {}).items()}
    found = _fields(batcher, "priority_queue_policy")
    return {**found, **({"priority_queue_policy": entries(policies)} if policies else {})}


def _sequence(batcher: sequences.SequenceBatcher) -> dict[str, Any]:
    found = _fields(batcher, "strategy")
    if batcher.strategy is None:
        return found
    oldest = isinstance(batcher.strategy, sequences.SequenceBatcherStrategyOldest)
    return {"oldest" if oldest else "direct": _plain(batcher.strategy), **found}


def _control(control: sequences.SequenceBatcherControlInput) -> dict[str, Any]:
    return {"name": control.input_name, "control": _plain(control.controls)}


def _warmup(warmup: values.ModelWarmup) -> dict[str, Any]:
    inputs = {name: _plain(each) for name, each in warmup.inputs.items()}
    return {"batch_size": warmup.batch_size, "inputs": entries(inputs), **_fields(warmup, "batch_size", "inputs")}


def _warmup_input(given: values.ModelWarmupInput) -> dict[str, Any]:
    kinds = values.ModelWarmupInputDataType
    data = {kinds.ZERO: {"zero_data": True}, kinds.RANDOM: {"random_data": True}}
    file = {"input_data_file": Path(given.input_data_file or "").name}
    shape = list(given.shape) or [1]
    return {"data_type": Name(triton_type(given.dtype)), "dims": shape, **data.get(given.input_data_type, file)}


FORMS: dict[type, Callable[[Any], dict[str, Any]]] = {
    InputTensorSpec: _tensor,
    OutputTensorSpec: _tensor,
    DynamicBatcher: _dynamic,
    sequences.SequenceBatcher: _sequence,
    sequences.SequenceBatcherControlInput: _control,
    values.ModelWarmup: _warmup,
    values.ModelWarmupInput: _warmup_input,
}
"""What is not field by field the same in the protobuf."""


def _onnx(optimization: values.ONNXOptimization) -> dict[str, Any]:
    accelerator, level = optimization.accelerator, optimization.graph_level
    graph = {"graph": {"level": level}} if level else {}
    if accelerator is None:
        return graph
    if isinstance(accelerator, values.OpenVINOAccelerator):
        return {**graph, **_accelerated("cpu", "openvino", {})}
    return {**graph, **_accelerated("gpu", "tensorrt", _tensorrt(accelerator, "trt_min_subgraph_size"))}


def _tensorflow(optimization: values.TensorFlowOptimization) -> dict[str, Any]:
    accelerator = optimization.accelerator
    if isinstance(accelerator, values.TensorRTAccelerator):
        return _accelerated("gpu", "tensorrt", _tensorrt(accelerator, "minimum_segment_size"))
    automatic = isinstance(accelerator, values.AutoMixedPrecisionAccelerator)
    return _accelerated("gpu", "auto_mixed_precision" if automatic else "gpu_io", {})


def _engine(optimization: values.TensorRTOptimization) -> dict[str, Any]:
    graphs = {"cuda": {"graphs": True}} if optimization.cuda_graphs else {}
    return {**graphs, **_fields(optimization, "cuda_graphs")}


OPTIMIZATIONS: dict[type, Callable[[Any], dict[str, Any]]] = {
    values.ONNXOptimization: _onnx,
    values.TensorFlowOptimization: _tensorflow,
    values.TensorRTOptimization: _engine,
}


def _tensorrt(accelerator: values.TensorRTAccelerator, smallest: str) -> dict[str, str]:
    """Return the parameters of the provider; `smallest` is what the backend calls the size of the smallest part."""
    space = accelerator.max_workspace_size
    given = {
        "precision_mode": accelerator.precision.upper(),
        "max_workspace_size_bytes": space * MIB if space else None,
        "max_cached_engines": accelerator.max_cached_engines,
        smallest: accelerator.minimum_segment_size,
    }
    return {name: str(value) for name, value in given.items() if value is not None}


def _accelerated(device: str, name: str, parameters: Mapping[str, str]) -> dict[str, Any]:
    known = {"parameters": entries(parameters)} if parameters else {}
    return {"execution_accelerators": {f"{device}_execution_accelerator": [{"name": name, **known}]}}


def _versions(policy: Any) -> dict[str, Any] | None:
    if policy is None:
        return None
    if policy == "all":
        return {"all": {}}
    return {"latest": {"num_versions": policy}} if isinstance(policy, int) else {"specific": {"versions": list(policy)}}


def _parameter(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
