"""Plain data: its types, records from it and to it, and the files that it is kept in."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from pytest_navigator.core.described import described
from pytest_navigator.errors import PackageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from _typeshed import DataclassInstance

    JSON: TypeAlias = bool | int | float | str | Sequence["JSON"] | Mapping[str, "JSON"] | None
    """Plain data, to be read: whoever writes it builds a dict or a list."""
    Tree: TypeAlias = dict[str, Any]
    """A node of a structure, see `pytest_navigator.samples.structure`: what its one tag holds depends on the tag."""
else:
    JSON = Tree = Any  # cattrs takes them as they are

# What a format is configured with, or has recorded: names and types are the format's own, which nobody else knows.
Parameters: TypeAlias = Mapping[str, Any]

T = TypeVar("T")


def plain(value: object) -> JSON:
    """Return a record as plain data (dict, list, str, int, float, bool, None); see `described` for any other value."""
    found: JSON = described(value)
    return found


def fields_of(record: DataclassInstance) -> dict[str, JSON]:
    """Return the fields of a record as plain data."""
    return {each.name: plain(getattr(record, each.name)) for each in fields(record)}


def structured(value: JSON, kind: type[T]) -> T:
    """Return plain data as a record of type `kind`.

    Raises:
        cattrs.ClassValidationError: if the data does not have the form of `kind`.
    """
    record: T = _converter().structure(value, kind)
    return record


def save(path: Path, value: object) -> None:
    """Write a record as JSON, atomically: readers see the old file or the new one."""
    # Half of a pair of surrogates has no UTF-8, and this escape is JSON's own: it is read as what it was.
    write_atomically(path, json.dumps(plain(value), indent=1, ensure_ascii=False).encode(errors="backslashreplace"))


def load(path: Path, kind: type[T]) -> T:
    """Read a record that `save` wrote.

    Raises:
        PackageError: somebody else has written it.
    """
    try:
        return structured(json.loads(path.read_bytes()), kind)
    except OSError:
        raise
    except Exception as error:  # json and cattrs raise many types
        raise PackageError(f"{path} is damaged ({error}); remove the workspace and run again") from error


def write_atomically(path: Path, content: bytes) -> None:
    """Write `content` to a temporary file beside `path`, then rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(name, 0o666 & ~_umask())  # mkstemp's own mode shuts out everybody else who reads the workspace
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@cache
def _umask() -> int:
    # It cannot be read without setting it, which another thread would see: once.
    mask = os.umask(0)
    os.umask(mask)
    return mask


@cache
def _converter() -> Any:
    from cattrs.preconf.json import make_converter

    return make_converter()
