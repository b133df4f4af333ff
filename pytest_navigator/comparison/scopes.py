"""A setting that can differ per format and per output: `{"*": 1e-4, "onnx": {"logits": 1e-3}}`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from pytest_navigator.errors import ConfigError, unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

T = TypeVar("T")

Levels: TypeAlias = dict[str, dict[str, T]]  # Format ("" for all) -> output ("" for all) -> value

EVERY = ("", "*")  # The names that stand for every output


@dataclass(frozen=True)
class Found(Generic[T]):
    """A value, and whether it was given for this very output."""

    value: T
    by_name: bool


def read(
    setting: Mapping[str, Any], option: str, formats: set[str], outputs: list[str], check: Callable[[Any, str], T]
) -> Levels[T]:
    """Return a setting by format and output; a name that is both a format's and an output's is the format's.

    Args:
        check: given a value and where it is, returns it as it is used or raises ConfigError.

    Raises:
        ConfigError: a format or output that does not exist, or one that is there twice.
    """
    everywhere = {key: value for key, value in setting.items() if key not in formats}
    levels = {"": _table(everywhere, option, outputs, check, valid=[*outputs, *formats])}
    for key in setting.keys() - everywhere.keys():
        value = setting[key] if isinstance(setting[key], Mapping) else {"": setting[key]}
        levels[key] = _table(value, f"{option}[{key!r}]", outputs, check, valid=outputs)
    return levels


def pick(levels: Levels[T], output: str, formats: Iterable[str]) -> Found[T] | None:
    """Return what the first of `formats` that says anything about the output says; None if none does."""
    for table in (levels.get(name, {}) for name in formats):
        for name in (output, ""):
            if name in table:
                return Found(table[name], by_name=bool(name))
    return None


def _table(
    values: Mapping[str, Any], option: str, outputs: list[str], check: Callable[[Any, str], T], valid: Iterable[str]
) -> dict[str, T]:
    if all(name in values for name in EVERY):
        raise ConfigError(f"{option}: '' and '*' both mean every output; keep one")
    for name in values:
        if name not in EVERY and name not in outputs:
            kind = "format" if isinstance(values[name], Mapping) else "output"
            raise unknown(f"{kind} in {option}", name, valid)
    return {"" if name in EVERY else name: check(value, f"{option}[{name!r}]") for name, value in values.items()}
