"""On what a model runs, what it is warmed up with, and what makes it faster there."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_navigator.deploy.triton.rules import (
    COUNT,
    FIXED_SHAPE,
    FLAG,
    NAME,
    check,
    instance,
    member,
    named,
    optional,
    several,
    whole,
    wrong,
)
from pytest_navigator.deploy.triton.tensors import triton_type

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Platform(StrEnum):
    """Triton's older names of backends, each with the kind of its file."""

    ONNXRuntimeONNX = "onnxruntime_onnx"
    TensorRTPlan = "tensorrt_plan"
    PyTorchLibtorch = "pytorch_libtorch"
    TensorFlowGraphDef = "tensorflow_graphdef"
    TensorFlowSavedModel = "tensorflow_savedmodel"


class DeviceKind(StrEnum):
    """Where instances run; KIND_AUTO: on GPUs where there are some."""

    KIND_AUTO = "KIND_AUTO"
    KIND_CPU = "KIND_CPU"
    KIND_GPU = "KIND_GPU"


@dataclass(frozen=True)
class InstanceGroup:
    """Instances of a model: each runs one batch at a time.

    Attributes:
        kind: where they run; None: Triton's own choice.
        count: how many there are, on each of `gpus`; None: Triton's own, two for ONNX Runtime on the CPU, else one.
        name: of the group.
        gpus: indices of GPUs.
        passive: whether they take no requests of their own.
        host_policy: name of a policy of the server.
        profile: of TensorRT: the optimization profiles of an engine that they use.

    Raises:
        ConfigError: a value is not possible, or GPUs are named for the CPU.
    """

    kind: DeviceKind | None = None
    count: int | None = None
    name: str | None = None
    gpus: Sequence[int] = field(default_factory=list)
    passive: bool = False
    host_policy: str | None = None
    profile: Sequence[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        check(self, kind=optional(member(DeviceKind)), count=optional(whole(1)), name=optional(NAME))
        check(self, gpus=several(COUNT), passive=FLAG, host_policy=optional(NAME), profile=several(NAME))
        if self.gpus and self.kind == DeviceKind.KIND_CPU:
            raise wrong(self, "gpus", "instances of KIND_CPU have none")


class ModelWarmupInputDataType(StrEnum):
    """What an input is filled with at warm-up."""

    ZERO = "ZERO"
    RANDOM = "RANDOM"
    FILE = "FILE"


@dataclass(frozen=True)
class ModelWarmupInput:
    """An input of a warm-up.

    Attributes:
        shape: without the batch axis where the model is batched.
        dtype: as of `InputTensorSpec`.
        input_data_type: what it is filled with.
        input_data_file: the file with its values, in row-major order: those of one row, which Triton repeats.

    Raises:
        ConfigError: a value is not possible.
    """

    shape: tuple[int, ...]
    dtype: Any
    input_data_type: ModelWarmupInputDataType
    input_data_file: Path | None = None

    def __post_init__(self) -> None:
        check(self, shape=FIXED_SHAPE, input_data_type=member(ModelWarmupInputDataType))
        triton_type(self.dtype)
        if (self.input_data_type == ModelWarmupInputDataType.FILE) != (self.input_data_file is not None):
            raise wrong(self, "input_data_file", f"it goes with {ModelWarmupInputDataType.FILE!r}, and with that alone")
        check(self, input_data_file=optional(instance(str, Path)))


@dataclass(frozen=True)
class ModelWarmup:
    """A request that the server sends to the model before it is ready.

    Attributes:
        inputs: by name, each of the model's.
        batch_size: how many rows; 1 for a model without batching.
        iterations: how often it is sent; 0: once.

    Raises:
        ConfigError: a value is not possible.
    """

    inputs: Mapping[str, ModelWarmupInput]
    batch_size: int = 1
    iterations: int = 0

    def __post_init__(self) -> None:
        check(self, inputs=named(instance(ModelWarmupInput)), batch_size=whole(1), iterations=COUNT)


class TensorRTOptPrecision(StrEnum):
    """What TensorRT may compute in."""

    FP16 = "fp16"
    FP32 = "fp32"
    INT8 = "int8"


@dataclass(frozen=True)
class TensorRTAccelerator:
    """TensorRT as ONNX Runtime's or TensorFlow's provider.

    Attributes:
        precision: what it may compute in.
        max_workspace_size: MiB; None: the backend's own.
        max_cached_engines: of TensorFlow alone. minimum_segment_size: nodes of the smallest part that TensorRT runs.

    Raises:
        ConfigError: a value is not possible.
    """

    precision: TensorRTOptPrecision = TensorRTOptPrecision.FP32
    max_workspace_size: int | None = None
    max_cached_engines: int | None = None
    minimum_segment_size: int | None = None

    def __post_init__(self) -> None:
        one = optional(whole(1))
        check(self, precision=member(TensorRTOptPrecision), max_workspace_size=one)
        check(self, max_cached_engines=one, minimum_segment_size=one)


@dataclass(frozen=True)
class OpenVINOAccelerator:
    """OpenVINO as ONNX Runtime's provider on the CPU."""


@dataclass(frozen=True)
class AutoMixedPrecisionAccelerator:
    """TensorFlow's automatic half precision."""


@dataclass(frozen=True)
class GPUIOAccelerator:
    """TensorFlow's inputs and outputs stay on the GPU."""


@dataclass(frozen=True)
class ONNXOptimization:
    """What makes an ONNX model faster.

    Attributes:
        accelerator: the provider; None: the device's own.
        graph_level: what ONNX Runtime changes of the graph: -1 basic, 1 extended, 2 nothing; None: everything.

    Raises:
        ConfigError: it is another one, or has an option that ONNX Runtime has not.
    """

    accelerator: OpenVINOAccelerator | TensorRTAccelerator | None = None
    graph_level: int | None = None

    def __post_init__(self) -> None:
        check(self, accelerator=optional(instance(OpenVINOAccelerator, TensorRTAccelerator)))
        check(self, graph_level=optional(whole(-1, 2)))
        if isinstance(self.accelerator, TensorRTAccelerator) and self.accelerator.max_cached_engines is not None:
            raise wrong(self, "accelerator", "max_cached_engines is TensorFlow's, ONNX Runtime has no such option")


@dataclass(frozen=True)
class TensorFlowOptimization:
    """What makes a TensorFlow model faster.

    Attributes:
        accelerator: how.

    Raises:
        ConfigError: it is another one.
    """

    accelerator: AutoMixedPrecisionAccelerator | GPUIOAccelerator | TensorRTAccelerator

    def __post_init__(self) -> None:
        check(self, accelerator=instance(AutoMixedPrecisionAccelerator, GPUIOAccelerator, TensorRTAccelerator))


@dataclass(frozen=True)
class TensorRTOptimization:
    """What makes an engine faster.

    Attributes:
        cuda_graphs: whether inferences are recorded and replayed.
        gather_kernel_buffer_threshold: from how many buffers on a kernel gathers the inputs; None: never.
        eager_batching: whether the next batch is prepared before the instance is free.

    Raises:
        ConfigError: a value is not possible, or nothing is asked for.
    """

    cuda_graphs: bool = False
    gather_kernel_buffer_threshold: int | None = None
    eager_batching: bool = False

    def __post_init__(self) -> None:
        check(self, cuda_graphs=FLAG, gather_kernel_buffer_threshold=optional(COUNT), eager_batching=FLAG)
        if not (self.cuda_graphs or self.gather_kernel_buffer_threshold or self.eager_batching):
            raise wrong(self, "cuda_graphs", "one of the three is needed, or no TensorRTOptimization")
