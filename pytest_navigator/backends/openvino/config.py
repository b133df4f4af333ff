"""The configuration of OpenVINO's formats."""

from __future__ import annotations

from collections.abc import Sequence  # noqa: TC003  # dataclasses' annotations are read
from dataclasses import dataclass, field

from pytest_navigator.configuration.format_config import FormatConfig, invalid
from pytest_navigator.configuration.quantization_config import QuantizationConfig
from pytest_navigator.errors import ConfigError

PRECISIONS = ("fp32", "fp16", "bf16", "int8")

# What of a `QuantizationConfig` nncf has nothing for, and why.
REFUSED = {
    "entropy": "nncf finds ranges by 'minmax' or 'percentile', and has no KL divergence",
    "accuracy": "the format openvino-int8 has no search: write what stays in floating point into `exclude`",
}


@dataclass(frozen=True)
class OpenVINOConfig(FormatConfig):
    """OpenVINO; `custom_args` go to `openvino.convert_model`.

    Attributes:
        precision: one or several. "fp32"; "fp16": of the weights, it computes in float32; "bf16": it computes in
            bfloat16, as OpenVINO does by itself on processors that can; "int8": quantized by nncf.
        quantization: of "int8"; of "bf16" what it may be, slower or larger than float32.
        transformer: whether nncf quantizes the model as it does transformers; None: if it has attention.

    Raises:
        ConfigError: a value is not possible.
    """

    precision: str | Sequence[str] = ("fp32",)
    quantization: QuantizationConfig = field(default_factory=QuantizationConfig)
    transformer: bool | None = None

    @property
    def allowed(self) -> QuantizationConfig:
        """What of the quantization holds for all that is measured beside float32."""
        own = self.quantization
        return QuantizationConfig(allow_slower=own.allow_slower, allow_larger=own.allow_larger)

    @property
    def quantizes(self) -> bool:
        """Whether it has anything to quantize."""
        return "int8" in self.precision

    def __post_init__(self) -> None:
        asked = (self.precision,) if isinstance(self.precision, str) else tuple(self.precision)
        if not asked or not set(asked) <= set(PRECISIONS) or len(set(asked)) < len(asked):
            raise invalid(self, "precision", PRECISIONS)
        if self.transformer not in (None, True, False):
            raise invalid(self, "transformer", (None, True, False))
        if "int8" not in asked and self.quantization != (self.allowed if "bf16" in asked else QuantizationConfig()):
            raise ConfigError(f'OpenVINOConfig.quantization is of precision="int8", and precision={self.precision!r}')
        method = self.quantization.calibration_method
        if method in REFUSED:
            said = f"OpenVINOConfig(quantization=QuantizationConfig(calibration_method={method!r}))"
            raise ConfigError(f"{said}: {REFUSED[method]}")
        object.__setattr__(self, "precision", asked)
