"""The configuration of ONNX, with the checks of its values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_navigator.configuration.format_config import FormatConfig, check_device, invalid
from pytest_navigator.core.described import foreign
from pytest_navigator.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

DEFAULT_OPSET = 18  # Both engines deliver it for most models, and every runtime and converter takes it

LOWEST_OPSET = 7

Axes = dict[str, "Sequence[int] | dict[int, str]"]


@dataclass(frozen=True)
class OnnxTraceExportConfig:
    """The TorchScript-based exporter."""


@dataclass(frozen=True)
class OnnxDynamoExportConfig:
    """The exporter on `torch.export`.

    Attributes:
        dynamo_dynamic_shapes: as OnnxConfig.dynamic_axes, for this engine only.
    """

    dynamo_dynamic_shapes: Axes | None = None


Engine = OnnxTraceExportConfig | OnnxDynamoExportConfig


@dataclass(frozen=True)
class OnnxConfig(FormatConfig):
    """ONNX. `custom_args` go to `torch.onnx.export`, but "session_options", a dict, to ONNX Runtime's SessionOptions.

    A library of custom operators is one of these: `{"register_custom_ops_library": "/path/of/library.so"}`.

    Attributes:
        opset: one opset or several; None: 18.
        export_engine: one engine or several; None: dynamo, and the TorchScript-based one where dynamo does not deliver
            the opset.
        dynamic_axes: `{"x": {0: "batch"}}` or `{"x": [0]}` instead of the axes that the loader shows; every axis that
            changes in the loader must be among them.
        graph_surgeon_optimization: not possible in this version.
        onnx_extended_conversion: also make `onnx-script`, from the scripted model, with its branches and loops.
        export_device: Model Navigator's older name of `device`.
        model_path: a ready ONNX file, which is taken instead of an export.

    Raises:
        ConfigError: a value is not possible.
    """

    opset: int | tuple[int, ...] | None = None
    export_engine: Engine | tuple[Engine, ...] | None = None
    dynamic_axes: Axes | None = None
    graph_surgeon_optimization: bool = False
    onnx_extended_conversion: bool = False
    export_device: str | None = None
    model_path: str | Path | None = None

    def __post_init__(self) -> None:
        if self.export_device and self.device and self.export_device != self.device:
            raise ConfigError(f"OnnxConfig: device={self.device!r} and export_device={self.export_device!r} differ")
        object.__setattr__(self, "device", self.device or self.export_device)
        check_device(self)
        _check_opsets(self)
        _check_engines(self)
        _check_session_options(self)
        plain_axes("OnnxConfig.dynamic_axes", self.dynamic_axes)
        if self.graph_surgeon_optimization:
            raise ConfigError(
                "OnnxConfig.graph_surgeon_optimization=True is not possible in this version: leave it out"
            )
        if self.model_path is not None and not Path(self.model_path).is_file():
            raise ConfigError(f"OnnxConfig.model_path={str(self.model_path)!r} is no file")

    @property
    def opsets(self) -> tuple[int, ...]:
        """The opsets that are asked for."""
        if self.opset is None:
            return (DEFAULT_OPSET,)
        return tuple(self.opset) if isinstance(self.opset, Iterable) else (self.opset,)

    @property
    def engines(self) -> tuple[Engine, ...]:
        """The engines that are asked for."""
        if self.export_engine is None:
            return (OnnxDynamoExportConfig(),)
        several = isinstance(self.export_engine, tuple | list)
        return tuple(self.export_engine) if several else (self.export_engine,)  # type: ignore[arg-type, return-value]


def _check_session_options(config: OnnxConfig) -> None:
    """Refuse what cannot go to the process in which ONNX Runtime runs."""
    if not config.custom_args:
        return
    from pytest_navigator.configuration.foreign_options import SESSION_OPTIONS

    options = config.custom_args.get(SESSION_OPTIONS, {})
    for name, value in options.items():
        if any(foreign(value)):
            raise ConfigError(
                f"OnnxConfig.custom_args[{SESSION_OPTIONS!r}][{name!r}]={value!r}: numbers and texts are possible; a "
                "member of an enumeration is written as its name: 'ORT_DISABLE_ALL'"
            )


def plain_axes(where: str, axes: Axes | None) -> dict[str, dict[str, str]] | None:
    """Return `{name: {"0": symbol}}`, with "" for a symbol that is to be made up."""
    if axes is None:
        return None
    found = {}
    for name, value in axes.items():
        named = dict(value) if isinstance(value, dict) else dict.fromkeys(value, "")
        if not all(type(axis) is int and axis >= 0 and type(symbol) is str for axis, symbol in named.items()):
            raise ConfigError(f'{where}[{name!r}]={value!r}: write {{0: "batch"}} or [0], with axes from 0 on')
        found[name] = {str(axis): symbol for axis, symbol in named.items()}
    return found


def _check_opsets(config: OnnxConfig) -> None:
    for opset in config.opsets:
        if type(opset) is not int or opset < LOWEST_OPSET:
            raise ConfigError(f"OnnxConfig.opset={config.opset!r}: opsets are numbers from {LOWEST_OPSET} on")
    if not config.opsets or len(set(config.opsets)) < len(config.opsets):
        raise ConfigError(f"OnnxConfig.opset={config.opset!r} names none or one twice")


def _check_engines(config: OnnxConfig) -> None:
    kinds = [type(engine) for engine in config.engines]
    if not kinds or not all(kind in (OnnxDynamoExportConfig, OnnxTraceExportConfig) for kind in kinds):
        raise invalid(config, "export_engine", (None, OnnxDynamoExportConfig(), OnnxTraceExportConfig()))
    if len(set(kinds)) < len(kinds):
        raise ConfigError(f"OnnxConfig.export_engine={config.export_engine!r} names an engine twice")
    for engine in config.engines:
        if isinstance(engine, OnnxDynamoExportConfig):
            plain_axes("OnnxDynamoExportConfig.dynamo_dynamic_shapes", engine.dynamo_dynamic_shapes)
