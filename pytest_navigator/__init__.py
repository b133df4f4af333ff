"""pytest_navigator: does this model still export, convert, give the same numbers and run fast, in every format?

The public names are imported when they are first used: a pytest run that checks no model pays nothing for them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from pytest_navigator._version import __version__

if TYPE_CHECKING:
    from pytest_navigator.api import bundle as bundle
    from pytest_navigator.api import contrib as contrib
    from pytest_navigator.api import experimental as experimental
    from pytest_navigator.api import jax as jax
    from pytest_navigator.api import onnx as onnx
    from pytest_navigator.api import python as python
    from pytest_navigator.api import pytriton as pytriton
    from pytest_navigator.api import ray as ray
    from pytest_navigator.api import tensorflow as tensorflow
    from pytest_navigator.api import torch as torch
    from pytest_navigator.api import triton as triton
    from pytest_navigator.api.loading import load as load
    from pytest_navigator.api.loading import save as save
    from pytest_navigator.api.package import Package as Package
    from pytest_navigator.api.pipeline_loading import load_optimized as load_optimized
    from pytest_navigator.api.pipeline_loading import unload as unload
    from pytest_navigator.api.pipeline_optimize import optimize as optimize
    from pytest_navigator.api.pipelines import Module as Module
    from pytest_navigator.api.pipelines import inspect as inspect
    from pytest_navigator.api.pipelines import module as module
    from pytest_navigator.api.pipelines import wrap as wrap
    from pytest_navigator.api.profile import profile as profile
    from pytest_navigator.api.timer import Timer as Timer
    from pytest_navigator.backends.coreml.format import CoreMLConfig as CoreMLConfig
    from pytest_navigator.backends.exchange.savedmodel import TensorFlowSavedModelConfig as TensorFlowSavedModelConfig
    from pytest_navigator.backends.executorch.config import ExecuTorchConfig as ExecuTorchConfig
    from pytest_navigator.backends.jax.live import JaxConfig as JaxConfig
    from pytest_navigator.backends.jax.stablehlo import StableHLOConfig as StableHLOConfig
    from pytest_navigator.backends.litert.config import LiteRTConfig as LiteRTConfig
    from pytest_navigator.backends.openvino.config import OpenVINOConfig as OpenVINOConfig
    from pytest_navigator.backends.tensorflow.live import TensorFlowConfig as TensorFlowConfig
    from pytest_navigator.backends.tensorflow.tf_tensorrt import TensorFlowTensorRTConfig as TensorFlowTensorRTConfig
    from pytest_navigator.backends.torch.aotinductor import AOTInductorConfig as AOTInductorConfig
    from pytest_navigator.backends.torch.aotinductor import AOTInductorCUDAConfig as AOTInductorCUDAConfig
    from pytest_navigator.backends.torch.exportedprogram import TorchExportConfig as TorchExportConfig
    from pytest_navigator.backends.torch.live import TorchConfig as TorchConfig
    from pytest_navigator.backends.torch.torch_tensorrt import TorchTensorRTConfig as TorchTensorRTConfig
    from pytest_navigator.backends.torch.torchscript import JitType as JitType
    from pytest_navigator.backends.torch.torchscript import TorchScriptConfig as TorchScriptConfig
    from pytest_navigator.comparison.tolerances import cosine as cosine
    from pytest_navigator.comparison.tolerances import scaled as scaled
    from pytest_navigator.comparison.tolerances import share as share
    from pytest_navigator.comparison.tolerances import snr as snr
    from pytest_navigator.comparison.tolerances import unchecked as unchecked
    from pytest_navigator.configuration.budgets import Budget as Budget
    from pytest_navigator.configuration.config import NavConfig as NavConfig
    from pytest_navigator.configuration.format_config import FormatConfig as FormatConfig
    from pytest_navigator.configuration.onnx_config import OnnxConfig as OnnxConfig
    from pytest_navigator.configuration.onnx_config import OnnxDynamoExportConfig as OnnxDynamoExportConfig
    from pytest_navigator.configuration.onnx_config import OnnxTraceExportConfig as OnnxTraceExportConfig
    from pytest_navigator.configuration.onnx_quantized_config import OnnxQuantizedConfig as OnnxQuantizedConfig
    from pytest_navigator.configuration.optimize_config import OptimizeConfig as OptimizeConfig
    from pytest_navigator.configuration.profile_config import MeasurementMode as MeasurementMode
    from pytest_navigator.configuration.profile_config import OptimizationProfile as OptimizationProfile
    from pytest_navigator.configuration.profile_config import ProfilerConfig as ProfilerConfig
    from pytest_navigator.configuration.quantization_config import QuantizationConfig as QuantizationConfig
    from pytest_navigator.configuration.tensorrt_config import TensorRTConfig as TensorRTConfig
    from pytest_navigator.configuration.tensorrt_config import TensorRTProfile as TensorRTProfile
    from pytest_navigator.configuration.tensorrt_config import TensorRTRTXConfig as TensorRTRTXConfig
    from pytest_navigator.core.enums import AutocastType as AutocastType
    from pytest_navigator.core.enums import DeviceKind as DeviceKind
    from pytest_navigator.core.enums import Format as Format
    from pytest_navigator.core.enums import Framework as Framework
    from pytest_navigator.core.enums import RuntimeProvider as RuntimeProvider
    from pytest_navigator.core.enums import TensorRTPrecision as TensorRTPrecision
    from pytest_navigator.core.enums import TensorRTPrecisionMode as TensorRTPrecisionMode
    from pytest_navigator.core.enums import TensorType as TensorType
    from pytest_navigator.core.variants import Variant as Variant
    from pytest_navigator.package.query.strategies import (
        MaxThroughputAndMinLatencyStrategy as MaxThroughputAndMinLatencyStrategy,
    )
    from pytest_navigator.package.query.strategies import MaxThroughputStrategy as MaxThroughputStrategy
    from pytest_navigator.package.query.strategies import (
        MaxThroughputWithLatencyBudgetStrategy as MaxThroughputWithLatencyBudgetStrategy,
    )
    from pytest_navigator.package.query.strategies import MinLatencyStrategy as MinLatencyStrategy
    from pytest_navigator.package.query.strategies import SelectedRuntimeStrategy as SelectedRuntimeStrategy
    from pytest_navigator.runners.base import Runner as Runner
    from pytest_navigator.samples.structure import Call as Call

_HOMES = {
    "NavConfig": "configuration.config",
    "Budget": "configuration.budgets",
    "OptimizeConfig": "configuration.optimize_config",
    "AutocastType": "core.enums",
    "DeviceKind": "core.enums",
    "Format": "core.enums",
    "Framework": "core.enums",
    "RuntimeProvider": "core.enums",
    "TensorType": "core.enums",
    "TensorRTPrecision": "core.enums",
    "TensorRTPrecisionMode": "core.enums",
    "FormatConfig": "configuration.format_config",
    "TorchExportConfig": "backends.torch.exportedprogram",
    "JaxConfig": "backends.jax.live",
    "OnnxConfig": "configuration.onnx_config",
    "OnnxDynamoExportConfig": "configuration.onnx_config",
    "OnnxTraceExportConfig": "configuration.onnx_config",
    "OnnxQuantizedConfig": "configuration.onnx_quantized_config",
    "TensorFlowSavedModelConfig": "backends.exchange.savedmodel",
    "TensorFlowConfig": "backends.tensorflow.live",
    "TensorFlowTensorRTConfig": "backends.tensorflow.tf_tensorrt",
    "StableHLOConfig": "backends.jax.stablehlo",
    "ExecuTorchConfig": "backends.executorch.config",
    "AOTInductorConfig": "backends.torch.aotinductor",
    "AOTInductorCUDAConfig": "backends.torch.aotinductor",
    "CoreMLConfig": "backends.coreml.format",
    "LiteRTConfig": "backends.litert.config",
    "OpenVINOConfig": "backends.openvino.config",
    "TensorRTConfig": "configuration.tensorrt_config",
    "TensorRTProfile": "configuration.tensorrt_config",
    "TensorRTRTXConfig": "configuration.tensorrt_config",
    "TorchConfig": "backends.torch.live",
    "TorchTensorRTConfig": "backends.torch.torch_tensorrt",
    "JitType": "backends.torch.torchscript",
    "TorchScriptConfig": "backends.torch.torchscript",
    "Package": "api.package",
    "Timer": "api.timer",
    "Module": "api.pipelines",
    "inspect": "api.pipelines",
    "module": "api.pipelines",
    "wrap": "api.pipelines",
    "load_optimized": "api.pipeline_loading",
    "unload": "api.pipeline_loading",
    "optimize": "api.pipeline_optimize",
    "load": "api.loading",
    "profile": "api.profile",
    "save": "api.loading",
    "MaxThroughputAndMinLatencyStrategy": "package.query.strategies",
    "MaxThroughputStrategy": "package.query.strategies",
    "MaxThroughputWithLatencyBudgetStrategy": "package.query.strategies",
    "MinLatencyStrategy": "package.query.strategies",
    "SelectedRuntimeStrategy": "package.query.strategies",
    "MeasurementMode": "configuration.profile_config",
    "OptimizationProfile": "configuration.profile_config",
    "ProfilerConfig": "configuration.profile_config",
    "QuantizationConfig": "configuration.quantization_config",
    "Variant": "core.records",
    "Runner": "runners.base",
    "Call": "samples.structure",
    "cosine": "comparison.tolerances",
    "scaled": "comparison.tolerances",
    "share": "comparison.tolerances",
    "snr": "comparison.tolerances",
    "unchecked": "comparison.tolerances",
}

_ENTRIES = (
    "bundle",
    "contrib",
    "experimental",
    "jax",
    "onnx",
    "python",
    "pytriton",
    "ray",
    "tensorflow",
    "torch",
    "triton",
)
"""What runs without pytest's command line, by framework; where a package is deployed; bundles of pipelines."""

_ROOMS = ("api", "package")
"""Submodules that are namespaces of Model Navigator's too: `nav.package.load`, `nav.api.config.TensorRTPrecision`."""

# Without the namespaces: `from pytest_navigator import *` must not take the name `torch` from PyTorch itself, nor
# `inspect` from Python.
__all__ = ["__version__", *(name for name in _HOMES if name != "inspect")]


def __getattr__(name: str) -> object:
    if name in _ENTRIES:
        return import_module(f"{__name__}.api.{name}")
    if name in _ROOMS:  # which are there only once they are imported
        return import_module(f"{__name__}.{name}")
    if name not in _HOMES:
        return _instead(name)
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def _instead(name: str) -> object:
    if name.startswith("_"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from pytest_navigator.api.instead import instead_of

    return instead_of("nav", name)


def __dir__() -> list[str]:
    return sorted([*__all__, "inspect", *_ENTRIES, *_ROOMS])
