"""The configuration of LiteRT's formats."""

from __future__ import annotations

from collections.abc import Sequence  # noqa: TC003  # dataclasses' annotations are read
from dataclasses import dataclass, field

from pytest_navigator.configuration.format_config import FormatConfig, invalid
from pytest_navigator.configuration.quantization_config import QuantizationConfig
from pytest_navigator.errors import ConfigError

PRECISIONS = ("fp32", "int8")

# What of a `QuantizationConfig` the converters have nothing for, and why.
REFUSED = {
    "percentile": "LiteRT's quantizers find ranges by 'minmax' alone",
    "entropy": "LiteRT's quantizers find ranges by 'minmax' alone",
    "accuracy": "the format litert-int8 has no search: write what stays in floating point into `exclude`",
}


@dataclass(frozen=True)
class LiteRTConfig(FormatConfig):
    """LiteRT; `custom_args` go to `litert_torch.convert`, or are attributes of `tf.lite.TFLiteConverter`.

    Attributes:
        precision: one or several: "fp32", "int8" (weights and activations; inputs and outputs keep their types).
        quantization: of "int8".

    Raises:
        ConfigError: a value is not possible.
    """

    precision: str | Sequence[str] = ("fp32",)
    quantization: QuantizationConfig = field(default_factory=QuantizationConfig)

    def __post_init__(self) -> None:
        asked = (self.precision,) if isinstance(self.precision, str) else tuple(self.precision)
        if not asked or not set(asked) <= set(PRECISIONS) or len(set(asked)) < len(asked):
            raise invalid(self, "precision", PRECISIONS)
        for name in ("calibration_method", "search"):
            value = getattr(self.quantization, name)
            if value in REFUSED:
                raise ConfigError(f"LiteRTConfig(quantization=QuantizationConfig({name}={value!r})): {REFUSED[value]}")
        object.__setattr__(self, "precision", asked)
