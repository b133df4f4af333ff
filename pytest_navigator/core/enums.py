"""Model Navigator's enumerations, with its members and their string forms: wherever one goes, its string goes too."""

from __future__ import annotations

from enum import StrEnum


class Format(StrEnum):
    """What is stored; formats of other packages have no member, and are named by their own string."""

    PYTHON = "python"
    TORCH = "torch"
    TENSORFLOW = "tensorflow"
    JAX = "jax"
    TORCHSCRIPT = "torchscript"
    TORCH_EXPORTEDPROGRAM = "torch-exportedprogram"
    TORCH_TRT = "torch-trt"
    TF_SAVEDMODEL = "tf-savedmodel"
    TF_TRT = "tf-trt"
    ONNX = "onnx"
    TENSORRT = "trt"
    TENSORRT_RTX = "trt-rtx"
    STABLEHLO = "stablehlo"


class TensorRTPrecision(StrEnum):
    """The lowest precision that TensorRT may compute in."""

    INT8 = "int8"
    FP8 = "fp8"
    FP16 = "fp16"
    BF16 = "bf16"
    FP32 = "fp32"
    NVFP4 = "nvfp4"


class TensorRTPrecisionMode(StrEnum):
    """How a precision is applied; `TensorRTConfig` says what each means on strongly typed networks."""

    HIERARCHY = "hierarchy"
    SINGLE = "single"
    MIXED = "mixed"


class RuntimeProvider(StrEnum):
    """What executes a format, in the words of Model Navigator 0.3."""

    TRT = "TensorrtExecutionProvider"
    TRT_TRTEXEC = "TrtexecExecutionProvider"
    CUDA = "CUDAExecutionProvider"
    CPU = "CPUExecutionProvider"
    TF = "TensorFlowExecutionProvider"
    PYT = "PyTorchExecutionProvider"


class DeviceKind(StrEnum):
    """Where a model is to run: a `target_device`."""

    CPU = "cpu"
    CUDA = "cuda"


class Framework(StrEnum):
    """What a model is written in; `NavConfig(framework=)` takes one."""

    TENSORFLOW = "tensorflow"
    TORCH = "torch"
    ONNX = "onnx"
    JAX = "jax"
    PYTHON = "python"
    NONE = "python"  # Model Navigator's word for a function
    TENSORRT = "trt"


class TensorType(StrEnum):
    """The library whose tensors a runner's `infer` gives back: `package.get_runner(return_type=)`."""

    NUMPY = "numpy"
    TORCH = "torch"
    TENSORFLOW = "tensorflow"
    JAX = "jax"


class AutocastType(StrEnum):
    """What PyTorch computes in under autocast: `TorchConfig(autocast=True, autocast_dtype=)`."""

    DEVICE = "device"  # What torch takes on the device
    FP16 = "torch.float16"
    BF16 = "torch.bfloat16"
