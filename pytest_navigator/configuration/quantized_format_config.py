"""What the configurations of formats with several precisions have, some of which are quantized."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar

from pytest_navigator.configuration.format_config import FormatConfig, invalid
from pytest_navigator.configuration.quantization_config import QuantizationConfig
from pytest_navigator.configuration.rules import is_list
from pytest_navigator.errors import ConfigError

if TYPE_CHECKING:
    from typing import Self


@dataclass(frozen=True)
class QuantizedFormatConfig(FormatConfig):
    """What the configuration of every format with quantized variants has.

    Attributes:
        precision: one or several of `PRECISIONS`.
        quantization: how; each field is of those precisions that know it, and one of them must.
        PRECISIONS: all that there are.
        TAKEN_BY: field of a `QuantizationConfig` -> the precisions that know it.
        QUANTIZED: those that know a field that is not in `TAKEN_BY`.
        REASONS: field -> why the others do not know it.
        REFUSED: value of a field that the format's library has nothing for -> why.

    Raises:
        ConfigError: a value is not possible, or of no use.
    """

    precision: str | Sequence[str] = ("fp32",)
    quantization: QuantizationConfig = field(default_factory=QuantizationConfig)

    PRECISIONS: ClassVar[Sequence[str]] = ("fp32", "int8")
    QUANTIZED: ClassVar[Sequence[str]] = ("int8",)
    TAKEN_BY: ClassVar[Mapping[str, Sequence[str]]] = {}
    REASONS: ClassVar[Mapping[str, str]] = {}
    REFUSED: ClassVar[Mapping[str, str]] = {}

    def __post_init__(self) -> None:
        asked = tuple(self.precision) if is_list(self.precision) else (self.precision,)
        if not asked or any(each not in self.PRECISIONS for each in asked) or len(set(asked)) < len(asked):
            raise invalid(self, "precision", self.PRECISIONS)
        object.__setattr__(self, "precision", asked)
        object.__setattr__(self, "quantization", quantization_of(self.quantization, type(self).__name__))
        for name, value in said(self.quantization).items():
            if isinstance(value, str) and value in self.REFUSED:
                where = f"{type(self).__name__}(quantization=QuantizationConfig({name}={value!r}))"
                raise ConfigError(f"{where}: {self.REFUSED[value]}")
            if not self.takes(name):
                raise self.of_no_use(name, value)

    def takes(self, name: str) -> bool:
        """Whether one of the precisions that are asked for knows a field of a `QuantizationConfig`."""
        return not set(self._takers(name)).isdisjoint(self.precision)

    def taking(self, how: QuantizationConfig) -> Self | None:
        """Return the same with those fields of a quantization that it knows; None: it knows none of them at all."""
        if not any(self.takes(each.name) for each in fields(QuantizationConfig)):
            return None
        return replace(self, quantization=_without(how, [name for name in said(how) if not self.takes(name)]))

    def said_of(self, precision: str) -> QuantizationConfig:
        """Return how one of the precisions is quantized: without the fields that it does not know."""
        names = [each.name for each in fields(QuantizationConfig)]
        return _without(self.quantization, [name for name in names if precision not in self._takers(name)])

    def _takers(self, name: str) -> Sequence[str]:
        return self.TAKEN_BY.get(name, self.QUANTIZED)

    def of_no_use(self, name: str, value: object) -> ConfigError:
        """Return the error for a field that none of the precisions knows."""
        reason = self.REASONS.get(name, f"it is of precision {' or '.join(map(repr, self._takers(name)))}")
        return ConfigError(
            f"{type(self).__name__}: quantization.{name}={value!r} is not possible with precision={self.precision!r}: "
            f"{reason}"
        )


def quantization_of(value: object, where: str) -> QuantizationConfig:
    """Return a configuration that a file may have said as a mapping.

    Raises:
        ConfigError: it is none, or has what there is not.
    """
    if isinstance(value, QuantizationConfig):
        return value
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise ConfigError(f"{where}.quantization={value!r} is no QuantizationConfig")
    return QuantizationConfig(**value)


def said(how: QuantizationConfig) -> dict[str, Any]:
    """Return the fields that are not as they are by default."""
    found = {each.name: getattr(how, each.name) for each in fields(how)}
    return {name: value for name, value in found.items() if value != getattr(QuantizationConfig, name)}


def _without(how: QuantizationConfig, names: Sequence[str]) -> QuantizationConfig:
    return replace(how, **{name: getattr(QuantizationConfig, name) for name in names})
