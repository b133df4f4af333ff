"""The configuration of quantized ONNX files, with the checks of its values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence  # noqa: TC003  # dataclasses' annotations are read
from dataclasses import dataclass
from typing import Any, ClassVar

from pytest_navigator.configuration.foreign_options import SESSION_OPTIONS
from pytest_navigator.configuration.quantized_format_config import QuantizedFormatConfig
from pytest_navigator.core.described import foreign
from pytest_navigator.errors import ConfigError, unknown

KINDS = ("int8", "int8-dynamic", "int4", "fp16", "bf16")

# Fields of `QuantizationConfig` that say how something is quantized -> what can be quantized so.
TAKEN_BY = {
    "calibration_method": ("int8",),
    "percentile": ("int8",),
    "samples": ("int8",),
    "symmetric": ("int8",),
    "per_channel": ("int8", "int8-dynamic"),
}
REASONS = {
    "calibration_method": "ranges are calibrated of int8 only",
    "percentile": "ranges are calibrated of int8 only",
    "samples": "samples are calibrated on for int8 only",
    "symmetric": "ranges of activations are chosen of int8 only",
    "per_channel": "4 bits have a scale for each block: custom_args={'block_size': 32}; floating point has none",
}

# Option among the `custom_args` -> what takes it.
OPTIONS = {
    "op_types_to_quantize": ("int8", "int8-dynamic", "int4"),
    "reduce_range": ("int8", "int8-dynamic"),
    "activation_type": ("int8",),
    "extra_options": ("int8", "int8-dynamic"),
    "block_size": ("int4",),
    "is_symmetric": ("int4",),
    "accuracy_level": ("int4",),
    "op_block_list": ("fp16", "bf16"),
}


@dataclass(frozen=True)
class OnnxQuantizedConfig(QuantizedFormatConfig):
    """ONNX with fewer bits: `onnx-int8`, `onnx-int8-dynamic`, `onnx-int4`, `onnx-fp16`, `onnx-bf16`.

    `custom_args` go to ONNX Runtime's quantizers and converter, each to those that know it, but "session_options" to
    its sessions: `op_types_to_quantize`, `reduce_range`, `activation_type`, `extra_options`, of int4 `block_size`,
    `is_symmetric`, `accuracy_level`, of float16 `op_block_list`. A member of an enumeration is its name: "QInt8".

    Attributes:
        precision: "int8" (static, calibrated on the loader), "int8-dynamic", "int4" (weights only), "fp16", "bf16",
            one or several.
        quantization: how; each field is of those precisions that know it, and one of them must.

    Raises:
        ConfigError: a value is not possible.
    """

    precision: str | Sequence[str] = ("int8", "int8-dynamic", "int4", "fp16")

    PRECISIONS: ClassVar[Sequence[str]] = KINDS
    QUANTIZED: ClassVar[Sequence[str]] = KINDS
    TAKEN_BY: ClassVar[Mapping[str, Sequence[str]]] = TAKEN_BY
    REASONS: ClassVar[Mapping[str, str]] = REASONS

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_options(self)

    def options_of(self, kind: str) -> dict[str, Any]:
        """Return the `custom_args` that one of the precisions knows."""
        return {name: value for name, value in self.custom_args.items() if kind in OPTIONS.get(name, KINDS)}


def _check_options(config: OnnxQuantizedConfig) -> None:
    for name, value in config.custom_args.items():
        if name == SESSION_OPTIONS:
            continue
        if name not in OPTIONS:
            raise unknown("option in OnnxQuantizedConfig.custom_args", name, [*OPTIONS, SESSION_OPTIONS])
        if not set(OPTIONS[name]) & set(config.precision):
            raise ConfigError(
                f"OnnxQuantizedConfig.custom_args has {name}={value!r}, which is of {' and '.join(OPTIONS[name])}: "
                f"precision is {tuple(config.precision)!r}"
            )
        if (found := next(foreign(value), None)) is not None:
            raise ConfigError(
                f"OnnxQuantizedConfig.custom_args has {name}={found}, which cannot go to the process that quantizes: "
                "numbers, texts, lists and dicts can; a member of an enumeration is written as its name: 'QUInt8'"
            )
