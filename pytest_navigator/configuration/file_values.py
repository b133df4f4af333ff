"""The forms of values that a configuration file may have: YAML's own, and those of Model Navigator's command line."""

from __future__ import annotations

import math
from argparse import ArgumentTypeError
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from pytest_navigator.configuration import options
from pytest_navigator.errors import ConfigError, unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_navigator.core.records import TensorSpec

T = TypeVar("T")
Parser = "Callable[[Any, str], T]"  # Takes a value and what to name in an error (file and key)


def text(value: Any, where: str) -> str:
    """Return a text that is not empty."""
    if isinstance(value, bool) or not isinstance(value, str | int | float) or not str(value).strip():
        raise ConfigError(f"{where}: {value!r} is no text")
    return str(value)


def flag(value: Any, where: str) -> bool:
    """Return a truth value."""
    return _by(options.yes, value, where)


def positive(value: Any, where: str) -> int:
    """Return a whole number from 1 on."""
    return _by(options.count, value, where)


def seed(value: Any, where: str) -> int:
    """Return a whole number from 0 on."""
    return _by(options.whole, value, where)


def axis(value: Any, where: str) -> int | None:
    """Return a whole number from 0 on, or None for no axis, which a flag calls `none`."""
    return None if value in (None, "none") else seed(value, where)


def choice(*valid: str) -> Callable[[Any, str], str]:
    """Return a parser of one of the words."""

    def parse(value: Any, where: str) -> str:
        if value not in valid:
            raise ConfigError(f"{where}: {unknown('value', str(value), valid)}")
        return str(value)

    return parse


def words(value: Any, where: str) -> tuple[str, ...]:
    """Return the names of `[onnx, torchscript]`, "onnx torchscript" or "onnx,torchscript", each once."""
    found = tuple(str(part) for part in _listed(value))
    if not found or not all(found) or len(set(found)) < len(found):
        raise ConfigError(f"{where}: {value!r}: names are needed, each once, like onnx torchscript")
    return found


def numbers(value: Any, where: str) -> tuple[int, ...]:
    """Return the whole numbers of `[13, 14]`, "13 14" or 13, each once."""
    found = tuple(positive(part, where) for part in _listed(value))
    if not found or len(set(found)) < len(found):
        raise ConfigError(f"{where}: {value!r}: whole numbers are needed, each once, like 13 14")
    return found


def specs(value: Any, where: str) -> tuple[TensorSpec, ...]:
    """Return the tensors of a signature in any of its forms."""
    from pytest_navigator.configuration import signature_text

    return signature_text.specs(value, where)


def tolerances(value: Any, where: str) -> dict[str, float]:
    """Return `{output: tolerance}` of `{"": 1e-5, logits: 1e-4}`, `["1e-5", "logits=1e-4"]` or a number."""
    from pytest_navigator.comparison.tolerances import tolerance

    return _named(value, tolerance, where, "a number, name=number, or a mapping of names to numbers", separators="=:")


def shapes(value: Any, where: str) -> dict[str, tuple[int, ...]]:
    """Return `{input: shape}` of `{x: [1, 3]}` or `["x=1,3"]`."""
    found = _named(value, _shape, where, SHAPE)
    if "" in found:
        raise ConfigError(f"{where}: {value!r} is for no input; {SHAPE}")
    return found


def ranges(value: Any, where: str) -> dict[str, tuple[float, float]]:
    """Return `{input: (lower, upper)}` of `{x: [0, 1]}` or `["x=0,1", "0,255"]`; "" for the inputs without one."""
    return _named(value, _range, where, RANGE)


def dtypes(value: Any, where: str) -> dict[str, str]:
    """Return `{input: type}` of `{x: float32}` or `["x=float32", "int64"]`; "" for the inputs without one."""
    from pytest_navigator.configuration.signature_text import known_dtype

    return _named(value, known_dtype, where, "write x=float32, or in a file {x: float32}")


SHAPE = "write image__0=128,3,600,800 with the batch, or in a file {image__0: [128, 3, 600, 800]}"
RANGE = 'write image__0=0,255, or 0,255 for all other inputs; in a file {image__0: [0, 255], "": [0, 255]}'


def _named(value: Any, parse: Callable[[Any, str], T], where: str, form: str, separators: str = "=") -> dict[str, T]:
    """Return a mapping of any of its forms: a mapping, a list of `name=value`, one text of these, or one value."""
    found: dict[str, T] = {}
    for name, content in _pairs(value, f"{where}: {value!r}: {form}", separators):
        if name in found:
            raise ConfigError(f"{where}: {repr(name) if name else 'the one without a name'} comes twice")
        found[name] = parse(content, f"{where}: {name}" if name else where)
    return found


def _pairs(value: Any, problem: str, separators: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        yield from ((str(name), content) for name, content in value.items())
    elif isinstance(value, str | list) and all(isinstance(part, str | int | float) for part in _split(value)):
        for part in _split(value):
            yield _pair(part, separators)
    elif isinstance(value, int | float):
        yield "", value
    else:
        raise ConfigError(problem)


def _pair(part: Any, separators: str) -> tuple[str, Any]:
    if isinstance(part, str):
        for separator in separators:
            name, found, content = part.rpartition(separator)
            if found:
                return name, content
    return "", part


def _split(value: str | list[Any]) -> list[Any]:
    parts = [value] if isinstance(value, str) else value
    return [one for part in parts for one in (part.split() if isinstance(part, str) else [part])]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else str(value).replace(",", " ").split()


def _shape(value: Any, where: str) -> tuple[int, ...]:
    try:
        return tuple(options.whole(size) for size in (value if isinstance(value, list) else str(value).split(",")))
    except ArgumentTypeError:
        raise ConfigError(f"{where}: {value!r} is no shape of whole numbers from 0 on; {SHAPE}") from None


def _range(value: Any, where: str) -> tuple[float, float]:
    bounds = tuple(_number(part) for part in (value if isinstance(value, list) else str(value).split(",")))
    if len(bounds) != 2 or not all(map(math.isfinite, bounds)) or bounds[0] > bounds[1]:
        raise ConfigError(f"{where}: {value!r} is no range of numbers; {RANGE}")
    return bounds[0], bounds[1]


def _number(value: Any) -> float:
    # YAML takes 1e-5 for a text.
    if not isinstance(value, str | int | float):
        return math.nan
    for kind in (int, float):
        try:
            return kind(value) if isinstance(value, str | bool) else value
        except ValueError:
            continue
    return math.nan


def _by(parse: Callable[[Any], T], value: Any, where: str) -> T:
    try:
        return parse(value)
    except ArgumentTypeError as error:
        raise ConfigError(f"{where}: {error}") from None
