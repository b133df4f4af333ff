"""The configuration of OpenVINO's formats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence  # noqa: TC003  # dataclasses' annotations are read
from dataclasses import dataclass
from typing import ClassVar

from pytest_navigator.configuration.format_config import invalid
from pytest_navigator.configuration.quantized_format_config import QuantizedFormatConfig

PRECISIONS = ("fp32", "fp16", "bf16", "int8")

ALLOWANCES = ("allow_slower", "allow_larger")  # What of a quantization is of bfloat16, too

# What of a `QuantizationConfig` nncf has nothing for, and why.
REFUSED = {
    "entropy": "nncf finds ranges by 'minmax' or 'percentile', and has no KL divergence",
}


@dataclass(frozen=True)
class OpenVINOConfig(QuantizedFormatConfig):
    """OpenVINO; `custom_args` go to `openvino.convert_model`.

    Attributes:
        precision: one or several. "fp32"; "fp16": of the weights, it computes in float32; "bf16": it computes in
            bfloat16, as OpenVINO does by itself on processors that can; "int8": quantized by nncf.
        quantization: of "int8"; of "bf16" what it may be, slower or larger than float32.
        transformer: whether nncf quantizes the model as it does transformers; None: if it has attention.

    Raises:
        ConfigError: a value is not possible.
    """

    transformer: bool | None = None

    PRECISIONS: ClassVar[Sequence[str]] = PRECISIONS
    TAKEN_BY: ClassVar[Mapping[str, Sequence[str]]] = dict.fromkeys(ALLOWANCES, ("bf16", "int8"))
    REFUSED: ClassVar[Mapping[str, str]] = REFUSED

    def __post_init__(self) -> None:
        if self.transformer not in (None, True, False):
            raise invalid(self, "transformer", (None, True, False))
        super().__post_init__()
