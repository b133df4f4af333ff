"""`nav.triton`: Triton's model repository, and the configurations of models in it."""

from __future__ import annotations

from pytest_navigator.api.instead import instead_of
from pytest_navigator.api.triton import model_repository
from pytest_navigator.deploy.triton.batching import DynamicBatcher, QueuePolicy, TimeoutAction
from pytest_navigator.deploy.triton.configs import (
    ONNXModelConfig,
    PythonModelConfig,
    PyTorchModelConfig,
    TensorFlowModelConfig,
    TensorRTModelConfig,
)
from pytest_navigator.deploy.triton.sequences import (
    SequenceBatcher,
    SequenceBatcherControl,
    SequenceBatcherControlInput,
    SequenceBatcherControlKind,
    SequenceBatcherInitialState,
    SequenceBatcherState,
    SequenceBatcherStrategyDirect,
    SequenceBatcherStrategyOldest,
)
from pytest_navigator.deploy.triton.tensors import InputTensorFormat, InputTensorSpec, OutputTensorSpec
from pytest_navigator.deploy.triton.values import (
    AutoMixedPrecisionAccelerator,
    DeviceKind,
    GPUIOAccelerator,
    InstanceGroup,
    ModelWarmup,
    ModelWarmupInput,
    ModelWarmupInputDataType,
    ONNXOptimization,
    OpenVINOAccelerator,
    Platform,
    TensorFlowOptimization,
    TensorRTAccelerator,
    TensorRTOptimization,
    TensorRTOptPrecision,
)

__all__ = [
    "AutoMixedPrecisionAccelerator",
    "DeviceKind",
    "DynamicBatcher",
    "GPUIOAccelerator",
    "InputTensorFormat",
    "InputTensorSpec",
    "InstanceGroup",
    "ModelWarmup",
    "ModelWarmupInput",
    "ModelWarmupInputDataType",
    "ONNXModelConfig",
    "ONNXOptimization",
    "OpenVINOAccelerator",
    "OutputTensorSpec",
    "Platform",
    "PyTorchModelConfig",
    "PythonModelConfig",
    "QueuePolicy",
    "SequenceBatcher",
    "SequenceBatcherControl",
    "SequenceBatcherControlInput",
    "SequenceBatcherControlKind",
    "SequenceBatcherInitialState",
    "SequenceBatcherState",
    "SequenceBatcherStrategyDirect",
    "SequenceBatcherStrategyOldest",
    "TensorFlowModelConfig",
    "TensorFlowOptimization",
    "TensorRTAccelerator",
    "TensorRTModelConfig",
    "TensorRTOptPrecision",
    "TensorRTOptimization",
    "TimeoutAction",
    "model_repository",
]


def __getattr__(name: str) -> object:
    return instead_of("nav.triton", name)
