"""How a model is quantized, in the words of the field; each format maps them to those of its library."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from pytest_navigator.configuration.known_fields import KnownFields
from pytest_navigator.configuration.rules import COUNT, NAMES, POSITIVE, Rule
from pytest_navigator.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

METHODS = ("minmax", "percentile", "entropy")
SEARCHES = ("accuracy",)

_YES_OR_NO = Rule("True or False", lambda value: isinstance(value, bool))
_CHECKS: dict[str, Rule] = {
    "calibration_method": Rule(f"one of {', '.join(map(repr, METHODS))}", lambda value: value in METHODS),
    "percentile": Rule(
        "a number above 50 and at most 100", lambda value: type(value) in (int, float) and 50 < value <= 100
    ),
    "samples": COUNT,
    "per_channel": _YES_OR_NO,
    "symmetric": _YES_OR_NO,
    "exclude": Rule("a list or tuple of names, each once", NAMES.fits),
    "search": Rule(f"None or one of {', '.join(map(repr, SEARCHES))}", lambda value: value in SEARCHES),
    "search_seconds": POSITIVE,
    "allow_slower": _YES_OR_NO,
    "allow_larger": _YES_OR_NO,
}


@dataclass(frozen=True, kw_only=True)
class QuantizationConfig(KnownFields):
    """How a model is quantized, and what of its verdict is let pass.

    None, where that is the default, is what the library chooses. Calibrated on the loader's own samples; what a library
    cannot do as it is asked is an error, never left out.

    Attributes:
        calibration_method: how the ranges of activations are found: "minmax", "percentile", "entropy" (KL divergence).
        percentile: of "percentile": the part of the values, in percent, that a range must hold.
        samples: how many samples of the loader are calibrated on, at most; None: those that conversions may see.
        per_channel: whether weights have a scale for each output channel.
        symmetric: whether the ranges of activations are symmetric around zero.
        exclude: what stays in floating point: layers by module path ("encoder.layers.0", with all that is in it; "*"
            stands for any part), or nodes by the file's own names.
        search: "accuracy": leave out the worst layers, one after the other, until the verdict passes.
        search_seconds: that a search may take (s).
        allow_slower: whether it may be slower than the float model; allow_larger: whether its file may be larger.

    Raises:
        ConfigError: a field does not exist, or its value is not possible.
    """

    calibration_method: str | None = None
    percentile: float | None = None
    samples: int | None = None
    per_channel: bool | None = None
    symmetric: bool | None = None
    exclude: Sequence[str] = ()
    search: str | None = None
    search_seconds: float = 120.0
    allow_slower: bool = False
    allow_larger: bool = False

    def __post_init__(self) -> None:
        for name, rule in _CHECKS.items():
            value = getattr(self, name)
            # None is what the library chooses, where it has anything to choose.
            if not (value is None and getattr(QuantizationConfig, name) is None) and not rule.fits(value):
                raise ConfigError(f"QuantizationConfig({name}={value!r}): {rule.text} is needed")
        if self.percentile is not None and self.calibration_method != "percentile":
            raise ConfigError(
                f'QuantizationConfig(percentile={self.percentile!r}) is of calibration_method="percentile", '
                f"which is {self.calibration_method!r}"
            )
        object.__setattr__(self, "exclude", tuple(self.exclude))

    def parameters(self) -> dict[str, Any]:
        """Return every field by its name, as plain data."""
        return {f.name: list(self.exclude) if f.name == "exclude" else getattr(self, f.name) for f in fields(self)}
