"""A setting of the configuration file, with the type that TOML gives it -> the text that the flag takes (pure)."""

from __future__ import annotations

from argparse import ArgumentTypeError
from ast import literal_eval
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pytest_navigator.configuration import options

if TYPE_CHECKING:
    from collections.abc import Callable

LISTS = (options.names, options.sizes, options.budgets, options.interpreters)
TOLERANCES = (options.atol, options.rtol)
LINES = (options.budgets, options.interpreters)
SEPARATORS: dict[Callable[[Any], Any], str] = {**dict.fromkeys(TOLERANCES, " "), **dict.fromkeys(LINES, "\n")}

# What parses a setting -> what can be written in TOML.
EXAMPLES: dict[Callable[[Any], Any], str] = {
    options.names: '["a", "b"] or "a,b"',
    options.sizes: '[1, 8], "1,8" or "auto:64"',
    options.milliseconds: "a number like 20.0",
    options.count: "a number like 100",
    options.whole: "a number like 7",
    options.seconds: "a number like 10.0",
    options.atol: '1e-5, "1e-5 logits=1e-4" or a table of outputs like { logits = 1e-4 }',
    options.rtol: '1e-5, "1e-5 logits=1e-4" or a table of outputs like { logits = 1e-4 }',
    options.yes: "true or false",
    options.interpreters: "a line like 'tf-trt=/venvs/tf215/bin/python', or a list of them",
    options.budgets: "a line like 'onnx-cpu p50<5ms size<50MiB', or a list of them",
}


def parsed(value: Any, parse: Callable[[Any], Any], example: str = "") -> Any:
    """Return what a value of the configuration file means, of either of its tables: one has texts, the other types.

    Args:
        example: what can be written, where `EXAMPLES` does not say.

    Raises:
        ArgumentTypeError: with the value and what can be written.
    """
    if parse in TOLERANCES:
        value = _table(value)
    try:
        return parse(_text(value, parse))
    except _WrongType as wrong:
        problem = f"{wrong.value!r} is {_kind(wrong.value)}"
    except ArgumentTypeError as error:
        if isinstance(value, str):
            raise
        problem = str(error)
    raise ArgumentTypeError(f"{problem}; write {EXAMPLES.get(parse, example or 'a text')}")


class _WrongType(Exception):
    """A value has a type that this setting, or what is in its list, cannot have."""

    def __init__(self, value: object) -> None:
        self.value = value


def _table(value: Any) -> Any:
    """Return a table that pytest has made a text of: in [tool.pytest.ini_options] it does so with all but lists."""
    if isinstance(value, str) and value.startswith("{"):
        with suppress(ValueError, SyntaxError):
            return literal_eval(value)
    return value


def _text(value: Any, parse: Callable[[Any], Any]) -> str:
    """Return a value as the flag's text."""
    if isinstance(value, list) and (parse in LISTS or parse in TOLERANCES):
        return SEPARATORS.get(parse, ",").join(_item(item, parse) for item in value)
    if isinstance(value, dict) and parse in TOLERANCES:
        return " ".join(f"{name}={_number(item)}" for name, item in value.items())
    if isinstance(value, bool):
        if parse is not options.yes:
            raise _WrongType(value)
        return str(value).lower()
    if isinstance(value, int | float) and parse not in (options.names, options.yes) and parse in EXAMPLES:
        return repr(value)
    if not isinstance(value, str):
        raise _WrongType(value)
    return value


def _item(value: Any, parse: Callable[[Any], Any]) -> str:
    number = isinstance(value, int) and not isinstance(value, bool) and parse is options.sizes
    if not number and not isinstance(value, str):
        raise _WrongType(value)
    return str(value)


def _number(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise _WrongType(value)
    return str(value)


def _kind(value: Any) -> str:
    names = {bool: "a boolean", int: "a number", float: "a number", list: "a list", dict: "a table"}
    return f"{names.get(type(value), 'a ' + type(value).__name__)}, which this setting cannot be"
