"""How a model is quantized, as a configuration file and a flag say it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_navigator.configuration import file_values as values
from pytest_navigator.configuration.quantization_config import METHODS, SEARCHES, QuantizationConfig
from pytest_navigator.configuration.quantized_format_config import QuantizedFormatConfig, said
from pytest_navigator.errors import ConfigError, unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pytest_navigator.configuration.format_config import Configured, FormatConfig

FORM = "write {samples: 8, exclude: [head]}, or samples=8 exclude=head,encoder.layers.0"


def _number(value: Any, where: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ConfigError(f"{where}: {value!r} is no number") from None


# Field of `QuantizationConfig` -> what reads it.
PARSERS: dict[str, Callable[[Any, str], Any]] = {
    "calibration_method": values.choice(*METHODS),
    "percentile": _number,
    "samples": values.positive,
    "per_channel": values.flag,
    "symmetric": values.flag,
    "exclude": values.words,
    "search": values.choice(*SEARCHES),
    "search_seconds": _number,
    "allow_slower": values.flag,
    "allow_larger": values.flag,
}


def quantization(value: Any, where: str) -> QuantizationConfig:
    """Return what `{samples: 8, exclude: [head]}` says, or "samples=8 exclude=head,encoder.layers.0".

    Raises:
        ConfigError: it is no such mapping, or a field or a value is not possible.
    """
    found = {}
    for name, content in _pairs(value, where):
        if name not in PARSERS:
            raise ConfigError(f"{where}: {unknown('field', name, PARSERS)}")
        if name in found:
            raise ConfigError(f"{where}: {name} comes twice")
        found[name] = PARSERS[name](content, f"{where}: {name}")
    try:
        return QuantizationConfig(**found)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None


def _pairs(value: Any, where: str) -> Iterable[tuple[str, Any]]:
    if isinstance(value, dict):
        return [(str(name), content) for name, content in value.items()]
    parts = value.split() if isinstance(value, str) else value
    if not isinstance(parts, list) or not all(isinstance(part, str) and "=" in part for part in parts):
        raise ConfigError(f"{where}: {value!r}: {FORM}")
    return [(name, content) for name, _, content in (part.partition("=") for part in parts)]


def quantized(name: str, possible: Iterable[Configured], how: QuantizationConfig) -> FormatConfig | None:
    """Return the configuration of a format or variant with what it knows of this quantization; None: it has none.

    Raises:
        ConfigError: the format cannot be quantized so.
    """
    for form in possible:
        config = form.config() if form.name == name else form.named(name)
        if config is not None:
            if isinstance(config, QuantizedFormatConfig):
                return config.taking(how)
            has = hasattr(config, "quantization")  # a format of somebody else's
            return replace(config, quantization=how) if has else None  # type: ignore[call-arg]
    return None


def check_of_use(how: QuantizationConfig, configs: Sequence[FormatConfig]) -> None:
    """Refuse a quantization of which no format knows anything, or a field that none of them knows.

    Raises:
        ConfigError: with what to name.
    """
    if not configs:
        raise ConfigError(
            "it is of no use: none of the target formats is quantized; name one that is: onnx-int8, openvino-int8"
        )
    for name, value in said(how).items():
        refusing = [each for each in configs if isinstance(each, QuantizedFormatConfig) and not each.takes(name)]
        if len(refusing) == len(configs):
            raise refusing[0].of_no_use(name, value)
