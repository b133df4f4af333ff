"""What a package says of how its formats are made and run: options of ours alone, of the types that they have."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from pytest_navigator.configuration.foreign_options import (
    ATTRIBUTES,
    CONFIG_ENTRY,
    MAKING,
    RUNNING,
    SESSION,
    SESSION_OPTIONS,
    file,
    plain,
)
from pytest_navigator.errors import PackageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_navigator.configuration.foreign_options import Accepts
    from pytest_navigator.core.plain import JSON, Parameters
    from pytest_navigator.core.variants import Variant

# Parameters of a variant that name files of the machine that made it; a package never has them read or written.
PARAMETERS = ("model_path", "timing_cache_dir")

# Environment variable: files that the `custom_args` of a package may name, as PATH lists folders.
ALLOWED = "NAV_PACKAGE_FILES"

# What tells that an argument is a file: its name, or its value. It is told so, and needs a permission of its own.
FILE_ARGUMENT = re.compile(r"path|file|dir|librar|plugin|script|cache", re.IGNORECASE)
FILE_NAME = re.compile(r"[/\\]|\.[A-Za-z_]\w*$")


def check_arguments(variant: Variant, *, making: bool) -> None:
    """Refuse what is no known option of a package's format: it would be set, called or written as it is.

    A file was one of the machine that made the package; here it may be anything.

    Args:
        making: whether all of them are used, to make the variant here; else those of its runtime only.

    Raises:
        PackageError: there is one, or a file that `NAV_PACKAGE_FILES` does not list.
    """
    given = variant.parameters.get("custom_args") or {}
    if not isinstance(given, dict):
        raise PackageError(f"{variant.key}: its custom_args are {given!r}, which are no options by name")
    options = dict(given)
    session = options.pop(SESSION_OPTIONS, None) or {}
    if session or RUNNING.get(variant.format) is SESSION:  # ONNX Runtime runs more formats than one
        _check(variant, SESSION, session if isinstance(session, dict) else {SESSION_OPTIONS: session})
    elif variant.format in RUNNING and not making:
        _check(variant, RUNNING[variant.format], options)
    if making:
        _check(variant, MAKING.get(variant.format, {}), options)


def check_parameters(variant: Variant) -> None:
    """Refuse parameters of a package's format that are no names and numbers: a text can be an option, or a path.

    Raises:
        PackageError: there is one.
    """
    for name, value in variant.parameters.items():
        accepts = ATTRIBUTES.get(name, plain)
        if name not in (*PARAMETERS, "custom_args") and not (value is None or accepts(value)):
            raise PackageError(f"{variant.key}: its parameter {name} is {value!r}, which it cannot be")


def without_files(parameters: Parameters) -> dict[str, JSON]:
    """Return the parameters of a variant that is made again here."""
    return {name: None if name in PARAMETERS else value for name, value in parameters.items()}


def _check(variant: Variant, table: Mapping[str, Accepts], options: Parameters) -> None:
    permitted = os.environ.get(ALLOWED, "").split(os.pathsep)
    for name, value in options.items():
        accepts = table.get(str(name).replace("-", "_").removeprefix("__"))
        unsaid = (value is None or value is False) and table is not SESSION
        known = unsaid or (accepts is not None and accepts(value))
        if known and accepts is not file:
            continue
        for inner, text in _texts(value, str(name)):
            if not (known and text in permitted) and (FILE_ARGUMENT.search(inner) or FILE_NAME.search(text)):
                raise PackageError(_file_problem(variant, inner, text, lets=accepts is file))
        if not known:
            raise PackageError(_problem(variant, str(name), value, table))


def _file_problem(variant: Variant, name: str, text: str, *, lets: bool) -> str:
    way = f"if it is to be used, {ALLOWED}={text} lets it pass" if lets else "no package chooses what is written or run"
    return f"{variant.key}: its custom_args have {name}={text!r}, a file that is not in the package; {way}"


def _problem(variant: Variant, name: str, value: JSON, table: Mapping[str, Accepts]) -> str:
    what = "a value that it cannot have" if name in table else "an option that no package sets"
    valid = ", ".join(table) or "none"
    way = "; give it yourself, with get_runner(session_options=...)" if table is SESSION else ""
    return f"{variant.key}: its custom_args have {name}={value!r}, {what} (possible: {valid}){way}"


def _texts(value: JSON, name: str) -> Iterator[tuple[str, str]]:
    """Yield every text with the name of the argument that it is, or is in."""
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, dict):
        for inner, each in value.items():
            yield from _texts(each, str(inner))
    elif name == CONFIG_ENTRY and isinstance(value, list) and len(value) == 2:
        yield from _texts(value[1], str(value[0]))
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each, name)
