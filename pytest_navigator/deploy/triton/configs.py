"""The configuration of a model for each of Triton's backends, by Model Navigator's names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pytest_navigator.deploy.triton.model_config import ModelConfig
from pytest_navigator.deploy.triton.rules import check, instance, member, optional, wrong
from pytest_navigator.deploy.triton.values import (
    ONNXOptimization,
    Platform,
    TensorFlowOptimization,
    TensorRTOptimization,
)


def _check_platform(config: ONNXModelConfig | TensorRTModelConfig | TensorFlowModelConfig | PyTorchModelConfig) -> None:
    valid = " or ".join(f"Platform.{each.name}" for each in config.platforms)
    check(config, platform=optional(member(Platform)))
    if config.platform is not None and config.platform not in config.platforms:
        raise wrong(config, "platform", f"{valid} is needed (or None)")


@dataclass(frozen=True)
class ONNXModelConfig(ModelConfig):
    """An ONNX file in ONNX Runtime.

    Attributes:
        platform: the older name of the backend, in its place.
        optimization: another provider than the device's own.

    Raises:
        ConfigError: as `ModelConfig`.
    """

    platform: Platform | None = None
    optimization: ONNXOptimization | None = None

    backend: ClassVar[str] = "onnxruntime"
    file: ClassVar[str] = "model.onnx"
    platforms: ClassVar[tuple[Platform, ...]] = (Platform.ONNXRuntimeONNX,)

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self, optimization=optional(instance(ONNXOptimization)))
        _check_platform(self)


@dataclass(frozen=True)
class TensorRTModelConfig(ModelConfig):
    """An engine of TensorRT.

    Attributes:
        platform: the older name of the backend, in its place.
        optimization: what makes it faster.

    Raises:
        ConfigError: as `ModelConfig`.
    """

    platform: Platform | None = None
    optimization: TensorRTOptimization | None = None

    backend: ClassVar[str] = "tensorrt"
    file: ClassVar[str] = "model.plan"
    platforms: ClassVar[tuple[Platform, ...]] = (Platform.TensorRTPlan,)
    profiles: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self, optimization=optional(instance(TensorRTOptimization)))
        _check_platform(self)


@dataclass(frozen=True)
class PyTorchModelConfig(ModelConfig):
    """A TorchScript file; its inputs and outputs have to be said, as the file does not say them.

    Attributes:
        platform: the older name of the backend, in its place.

    Raises:
        ConfigError: as `ModelConfig`.
    """

    platform: Platform | None = None

    backend: ClassVar[str] = "pytorch"
    file: ClassVar[str] = "model.pt"
    platforms: ClassVar[tuple[Platform, ...]] = (Platform.PyTorchLibtorch,)

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_signature(self)
        _check_platform(self)


@dataclass(frozen=True)
class PythonModelConfig(ModelConfig):
    """A `model.py` for Triton's Python backend; its inputs and outputs have to be said.

    Raises:
        ConfigError: as `ModelConfig`.
    """

    backend: ClassVar[str] = "python"
    file: ClassVar[str] = "model.py"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_signature(self)


@dataclass(frozen=True)
class TensorFlowModelConfig(ModelConfig):
    """A SavedModel, for servers before the release 25.08: later ones have no backend for it.

    Attributes:
        platform: the older name of the backend with the kind of the file, in its place.
        optimization: what makes it faster.

    Raises:
        ConfigError: as `ModelConfig`.
    """

    platform: Platform | None = None
    optimization: TensorFlowOptimization | None = None

    backend: ClassVar[str] = "tensorflow"
    file: ClassVar[str] = "model.savedmodel"
    platforms: ClassVar[tuple[Platform, ...]] = (Platform.TensorFlowSavedModel, Platform.TensorFlowGraphDef)

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self, optimization=optional(instance(TensorFlowOptimization)))
        _check_platform(self)


def _check_signature(config: ModelConfig) -> None:
    for name in ("inputs", "outputs"):
        if not getattr(config, name):
            raise wrong(config, name, "the file does not say them, so they have to be given")
