"""The configuration of ExecuTorch's formats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence  # noqa: TC003  # dataclasses' annotations are read
from dataclasses import dataclass
from typing import ClassVar

from pytest_navigator.configuration.format_config import invalid
from pytest_navigator.configuration.quantized_format_config import QuantizedFormatConfig
from pytest_navigator.errors import ConfigError

PRECISIONS = ("fp32", "int8")
BACKENDS = ("xnnpack", None)

# What of a `QuantizationConfig` torchao's quantizer for XNNPACK has nothing for, and why.
REFUSED = {
    "percentile": "torchao finds ranges by 'minmax', or by None: a histogram with the least error",
    "entropy": "torchao finds ranges by 'minmax', or by None: a histogram with the least error",
    "accuracy": "the format executorch-int8 has no search: write what stays in floating point into `exclude`",
}


@dataclass(frozen=True)
class ExecuTorchConfig(QuantizedFormatConfig):
    """ExecuTorch; `custom_args` go to `executorch.exir.EdgeCompileConfig`.

    Attributes:
        precision: one or several: "fp32", "int8" (weights and activations; inputs and outputs keep their types).
        backend: what nodes are delegated to: "xnnpack"; None: all are left to the portable kernels, which are slow.
        min_delegated: the part of the nodes that must be delegated, 0 to 1; less fails the conversion. None: one node
            must be, where there is a backend.
        max_batch_size: the largest batch that memory is planned for; None: the largest one of the loader, or that is
            to be profiled.
        quantization: of "int8".

    Raises:
        ConfigError: a value is not possible.
    """

    backend: str | None = "xnnpack"
    min_delegated: float | None = None
    max_batch_size: int | None = None

    PRECISIONS: ClassVar[Sequence[str]] = PRECISIONS
    REFUSED: ClassVar[Mapping[str, str]] = REFUSED

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.backend not in BACKENDS:
            raise invalid(self, "backend", BACKENDS)
        share, size = self.min_delegated, self.max_batch_size
        if share is not None and (type(share) not in (int, float) or not 0 <= share <= 1):
            raise ConfigError(f"ExecuTorchConfig(min_delegated={share!r}): a number from 0 to 1 is needed")
        if share and self.backend is None:
            raise ConfigError(f"ExecuTorchConfig(min_delegated={share!r}, backend=None): nothing is delegated to None")
        if size is not None and (type(size) is not int or size < 1):
            raise ConfigError(f"ExecuTorchConfig(max_batch_size={size!r}): a whole number of at least 1 is needed")
        if "int8" in self.precision and self.backend is None:
            raise ConfigError(
                'ExecuTorchConfig(precision="int8", backend=None): int8 is for XNNPACK, so backend="xnnpack" is needed'
            )
