"""The configuration of LiteRT's formats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence  # noqa: TC003  # dataclasses' annotations are read
from dataclasses import dataclass
from typing import ClassVar

from pytest_navigator.configuration.quantized_format_config import QuantizedFormatConfig

PRECISIONS = ("fp32", "int8")

# What of a `QuantizationConfig` the converters have nothing for, and why.
REFUSED = {
    "percentile": "LiteRT's quantizers find ranges by 'minmax' alone",
    "entropy": "LiteRT's quantizers find ranges by 'minmax' alone",
    "accuracy": "the format litert-int8 has no search: write what stays in floating point into `exclude`",
}


@dataclass(frozen=True)
class LiteRTConfig(QuantizedFormatConfig):
    """LiteRT; `custom_args` go to `litert_torch.convert`, or are attributes of `tf.lite.TFLiteConverter`.

    Attributes:
        precision: one or several: "fp32", "int8" (weights and activations; inputs and outputs keep their types).
        quantization: of "int8".

    Raises:
        ConfigError: a value is not possible.
    """

    PRECISIONS: ClassVar[Sequence[str]] = PRECISIONS
    REFUSED: ClassVar[Mapping[str, str]] = REFUSED
