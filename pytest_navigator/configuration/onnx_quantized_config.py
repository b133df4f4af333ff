"""The configuration of quantized ONNX files, with the checks of its values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from pytest_navigator.configuration.foreign_options import SESSION_OPTIONS
from pytest_navigator.configuration.format_config import FormatConfig, invalid
from pytest_navigator.configuration.quantization_config import QuantizationConfig
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
class OnnxQuantizedConfig(FormatConfig):
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
    quantization: QuantizationConfig = field(default_factory=QuantizationConfig)

    def __post_init__(self) -> None:
        asked = (self.precision,) if isinstance(self.precision, str) else tuple(self.precision)
        if not asked or not set(asked) <= set(KINDS) or len(set(asked)) < len(asked):
            raise invalid(self, "precision", KINDS)
        object.__setattr__(self, "precision", asked)
        object.__setattr__(self, "quantization", quantization_of(self.quantization, "OnnxQuantizedConfig"))
        _check_taken(self)
        _check_options(self)

    def said_of(self, kind: str) -> QuantizationConfig:
        """Return how one of the precisions is quantized: without the fields that it does not know."""
        unknown = {name: None for name, kinds in TAKEN_BY.items() if kind not in kinds}
        return replace(self.quantization, **unknown)  # type: ignore[arg-type]

    def options_of(self, kind: str) -> dict[str, Any]:
        """Return the `custom_args` that one of the precisions knows."""
        return {name: value for name, value in self.custom_args.items() if kind in OPTIONS.get(name, KINDS)}


def quantization_of(value: QuantizationConfig | Mapping[str, Any], where: str) -> QuantizationConfig:
    """Return a configuration that a file may have said as a mapping.

    Raises:
        ConfigError: it is none, or has what there is not.
    """
    if isinstance(value, QuantizationConfig):
        return value
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where}.quantization={value!r} is no QuantizationConfig")
    return QuantizationConfig(**value)


def _check_taken(config: OnnxQuantizedConfig) -> None:
    said = [f.name for f in fields(config.quantization) if getattr(config.quantization, f.name) is not None]
    for name in said:
        if name in TAKEN_BY and not set(TAKEN_BY[name]) & set(config.precision):
            raise ConfigError(
                f"OnnxQuantizedConfig: quantization.{name}={getattr(config.quantization, name)!r} is not possible with "
                f"precision={tuple(config.precision)!r}: {REASONS[name]}"
            )


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
