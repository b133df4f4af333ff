"""How a child finds a class of this process: by its module, or, in a conftest.py, by the file."""

from __future__ import annotations

import hashlib
import inspect
import os
import sys
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_navigator.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

# Classes whose path was asked for in this process, which must not run their conftest.py a second time.
_known: dict[str, type] = {}


def path_of(kind: type) -> str:
    """Return where a child imports a class from: "package.module:Class", or "/folder/conftest.py:Class".

    A conftest.py has no name of its own: several are called "conftest", and pytest keeps the last one only.
    """
    where = kind.__module__
    if where.rpartition(".")[2] == "conftest":
        where = _file_of(kind)
    path = f"{where}:{kind.__qualname__}"
    _known[path] = kind
    return path


def imported(path: str) -> Any:
    """Return the class at a path of `path_of`, or any other attribute of a module.

    Raises:
        ConfigError: the module cannot be imported here, or has no such attribute.
    """
    if path in _known:
        return _known[path]
    where, _, name = path.rpartition(":")
    try:
        found: Any = _module_at(Path(where)) if where.endswith(".py") else import_module(where)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            f"{path} cannot be imported in a process of its own ({error}); a format and its runners are classes at the "
            "top of a module that can be imported, or of a conftest.py that can be imported by itself"
        ) from error
    return found


def registered(modules: Iterable[str]) -> None:
    """Import the modules that register operators and classes, in this process.

    Raises:
        ConfigError: one cannot be imported.
    """

    from pytest_navigator.isolation.causes import error_line

    for name in modules:
        try:
            import_module(name)
        except Exception as error:
            raise ConfigError(f"child_imports: {name!r} cannot be imported: {error_line(error)}") from error


def _file_of(kind: type) -> str:
    # A function of the class knows, where the name of its module may mean another conftest.py.
    own = next((f for f in vars(kind).values() if inspect.isfunction(f)), None)
    scope = own.__globals__ if own else vars(sys.modules[kind.__module__])
    return str(scope["__file__"])


def _module_at(file: Path) -> Any:
    digest = hashlib.sha256(os.fsencode(file)).hexdigest()
    name = f"conftest_{digest[:12]}"  # of its own: there are several conftest.py
    if name not in sys.modules:
        spec = spec_from_file_location(name, file)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = module_from_spec(spec)
        try:
            spec.loader.exec_module(sys.modules[name])
        except BaseException:
            del sys.modules[name]
            raise
    return sys.modules[name]
