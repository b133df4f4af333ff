"""The code of a format or a runner of others, as digests: who edits it wants to see what it does now."""

from __future__ import annotations

import ast
import hashlib
import inspect
import sys
import sysconfig
from functools import cache
from importlib.util import find_spec, resolve_name
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

OURS = "pytest_navigator"  # Our own code is known by our version
INSTALLED = {"site-packages", "dist-packages"}  # Folders whose modules are known by the versions of their distributions


def code_of(kinds: Iterable[Any]) -> list[tuple[str, str]]:
    """Return name and SHA-256 of the modules that classes and functions are from and of those that these import.

    Followed is every import statement, also inside of functions, into what is not installed: a conftest.py, a company's
    own modules beside it.
    """
    found: dict[Path, tuple[str, str]] = {}
    pending = [place for kind in kinds for base in getattr(kind, "__mro__", (kind,)) if (place := place_of(base))]
    while pending:
        name, file = pending.pop()
        if file not in found:
            digest, imports = _read(file, file.stat().st_mtime_ns)
            found[file] = name, digest
            pending += [(used, path) for used in _absolute(imports, name, file) if (path := _file_of(used))]
    return sorted(found.values())


def place_of(kind: Any) -> tuple[str, Path] | None:
    """Return name and file of the module of a class or function; None if that is ours or installed."""
    # Several are called "conftest", and sys.modules has the last one only: a function knows where it is from.
    # One that is decorated says it is of the module that it decorates, and has the names of the decorator's.
    parts = [kind, *vars(kind).values()]
    functions = [part for part in parts if inspect.isfunction(part) and part.__module__ == kind.__module__]
    own = next((f for f in functions if f.__globals__.get("__name__") == kind.__module__), None)
    names = own.__globals__ if own else vars(sys.modules.get(kind.__module__, object))
    file = own_file(names.get("__file__"))
    return (kind.__module__, file) if file and kind.__module__.partition(".")[0] != OURS else None


def _file_of(name: str) -> Path | None:
    """Return the file of a module by its name; None if that is ours, installed, or no module."""
    top = name.partition(".")[0]
    try:
        first = find_spec(top) if top != OURS else None
        if first is None or (first.origin and own_file(first.origin) is None):
            return None  # its modules are not looked for: that would import it
        spec = find_spec(name)
    except (ImportError, AttributeError, ValueError):
        return None
    return own_file(spec.origin) if spec else None


def own_file(file: str | None) -> Path | None:
    """Return the path of a source file that is not installed."""
    path = Path(file or "")
    installed = INSTALLED & set(path.parts) or path.is_relative_to(_stdlib())
    return path if path.suffix == ".py" and not installed and path.is_file() else None


@cache
def _stdlib() -> str:
    return sysconfig.get_path("stdlib")


def _absolute(imports: Iterable[str], name: str, file: Path) -> Iterator[str]:
    """Return the full names of what a module imports."""
    package = name if file.stem == "__init__" else name.rpartition(".")[0]
    for each in imports:
        if not each.startswith(".") or package:
            yield resolve_name(each, package)


@cache
def _read(file: Path, age: int) -> tuple[str, tuple[str, ...]]:
    """Return the SHA-256 of a file and what it imports; `age` tells a changed one apart."""
    content = file.read_bytes()
    return hashlib.sha256(content).hexdigest(), tuple(_imports(ast.parse(content)))


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            yield base
            yield from (f"{base}{'' if base.endswith('.') else '.'}{alias.name}" for alias in node.names)
