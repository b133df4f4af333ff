"""Parameters of a package's formats that name files of the machine that made it: none of them is used unasked."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from pytest_navigator.errors import PackageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Mapping

    from pytest_navigator.records import JSON
    from pytest_navigator.records import Variant

PARAMETERS = ("model_path", "timing_cache_dir")
"""Parameters of a variant that name files of the machine that made it; a package never has them read or written."""

ALLOWED = "NAV_PACKAGE_FILES"
"""Environment variable: files that the `custom_args` of a package may name, as PATH lists folders."""

SESSION_OPTIONS = "session_options"
"""The one of the `custom_args` that a runtime takes, ONNX Runtime's; the others are of what makes an artifact."""

CONFIG_ENTRY = "add_session_config_entry"
"""The method of ONNX Runtime's options that takes a name with dots in it, and its value."""

FILE_ARGUMENT = re.compile(r"path|file|dir|librar|plugin|script|cache", re.IGNORECASE)
FILE_NAME = re.compile(r"[/\\]|\.[A-Za-z_]\w*$")
"""What tells that an argument of an exporter, a builder or a runtime is a file: its name, or its value."""


def check_arguments(variant: Variant, *, making: bool) -> None:
    """Refuse `custom_args` of a package that name a file: a library, a script, what is to be written.

    It was one of the machine that made the package; here it may be anything.

    Args:
        making: whether all of them are used, to make the variant here; else those of its runtime only.

    Raises:
        PackageError: there is one that `NAV_PACKAGE_FILES` does not list.
    """
    allowed = os.environ.get(ALLOWED, "").split(os.pathsep)
    arguments = variant.parameters.get("custom_args") or {}
    for name, text in _texts(arguments if making else arguments.get(SESSION_OPTIONS)):
        if text not in allowed and (FILE_ARGUMENT.search(name) or FILE_NAME.search(text)):
            raise PackageError(
                f"{variant.key}: its custom_args have {name}={text!r}, a file that is not in the package; if it is to "
                f"be used, {ALLOWED}={text} lets it pass"
            )


def without_files(parameters: Mapping[str, JSON]) -> dict[str, JSON]:
    """Return the parameters of a variant that is made again here."""
    return {name: None if name in PARAMETERS else value for name, value in parameters.items()}


def _texts(value: JSON, name: str = "custom_args") -> Iterator[tuple[str, str]]:
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
