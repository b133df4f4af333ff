"""The source text of functions with all that they use of their own modules: a script runs what the product runs.

Such functions take plain arguments and use nothing but the upstream libraries. They import these inside, so that
naming them costs nothing; in a script the imports stand at its head.
"""

from __future__ import annotations

import ast
import inspect
import re
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from textwrap import dedent
from typing import TYPE_CHECKING

from pytest_navigator.reproduce.code import NoScript

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

OWN = __name__.partition(".")[0]

# What our own checkers are told.
REMARK = re.compile(r"  # (type: ignore|noqa)\b.*$", re.MULTILINE)


@dataclass
class _Module:
    """What stands at the top of a module, by name.

    Attributes:
        lines: of the file. parts: functions, classes and constants.
        imports: their lines. own: of this package, the module and the name there.
    """

    lines: list[str]
    parts: dict[str, ast.stmt] = field(default_factory=dict)
    imports: dict[str, str] = field(default_factory=dict)
    own: dict[str, tuple[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Part:
    """A function, class or constant: its text, the modules that it imports inside, and the names that it uses."""

    text: str
    inside: _Module
    used: tuple[str, ...]


@dataclass
class Source:
    """Source text of functions.

    Attributes:
        imports: lines that it needs at the head of a file.
    """

    imports: set[str] = field(default_factory=set)
    _found: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """All of it, module after module: each before what it uses of others, and in its own order."""
        return "\n\n\n".join(
            found[name] for module, found in self._found.items() for name in _module(module).parts if name in found
        )

    def add(self, module: str, name: str) -> None:
        """Add a function, class or constant, and what it uses.

        Raises:
            NoScript: it uses what is no function, class or constant of a module.
        """
        known, texts = _module(module), self._found.setdefault(module, {})
        if name not in known.parts:
            raise NoScript(f"{module}.{name} cannot be written as source text")
        if name in texts:
            return
        part = _part(module, name)
        texts[name] = part.text
        self.imports.update(part.inside.imports.values())
        own = known.own | part.inside.own
        for used in part.used:
            if used in known.parts:
                self.add(module, used)
            elif used in own:
                self.add(*own[used])
            elif used in known.imports:
                self.imports.add(known.imports[used])


def sources(functions: Iterable[Callable[..., object]]) -> Source:
    """Return the source text of functions or classes, and of what they use.

    Raises:
        NoScript: one uses what is no function, class or constant of a module.
    """
    found = Source()
    for function in functions:
        found.add(function.__module__, function.__qualname__)
    return found


@cache
def _module(name: str) -> _Module:
    text = inspect.getsource(import_module(name))
    found, last = _Module(text.splitlines()), None
    top = ast.parse(text).body
    for node in [inner for one in top for inner in (one.body if isinstance(one, ast.If) else [one])]:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.parts[node.name] = node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if isinstance(target, ast.Name):
                found.parts[target.id] = node
        elif isinstance(node, ast.Expr) and isinstance(last, ast.Assign | ast.AnnAssign):
            last.end_lineno = node.end_lineno  # what is said of a constant belongs to it
        _note_imports([node], found)
        last = node
    return found


@cache
def _part(module: str, name: str) -> _Part:
    """Return a part of a module; every script of a run has the same ones."""
    known, inside = _module(module), _Module([])
    node = known.parts[name]
    text = _text(known.lines, node, _take_imports(node, inside))
    return _Part(text, inside, tuple(dict.fromkeys(e.id for e in ast.walk(node) if isinstance(e, ast.Name))))


def _note_imports(nodes: Iterable[ast.stmt], found: _Module) -> list[ast.stmt]:
    taken: list[ast.stmt] = []
    for node in nodes:
        if not isinstance(node, ast.Import | ast.ImportFrom) or getattr(node, "module", "") == "__future__":
            continue
        taken.append(node)
        for alias in node.names:
            name, module = alias.asname or alias.name.partition(".")[0], getattr(node, "module", None)
            if module and module.partition(".")[0] == OWN:
                found.own[name] = (module, alias.name)
            else:
                single = ast.ImportFrom(module, [alias], 0) if module else ast.Import([alias])
                # `import a` and `import a.b` give the same name.
                found.imports[name if module or alias.asname else alias.name] = ast.unparse(single)
    return taken


def _take_imports(node: ast.stmt, found: _Module) -> set[int]:
    """Note what the functions in a definition import first of all; returns the numbers of those lines."""
    lines: set[int] = set()
    for function in ast.walk(node):
        if isinstance(function, ast.FunctionDef):
            for taken in _note_imports(function.body, found):
                lines.update(range(taken.lineno, (taken.end_lineno or taken.lineno) + 1))
    return lines


def _text(lines: list[str], node: ast.stmt, dropped: set[int]) -> str:
    decorators = getattr(node, "decorator_list", [])
    first = decorators[0].lineno if decorators else node.lineno
    while first > 1 and lines[first - 2].startswith("#"):  # what is said of a constant belongs to it
        first -= 1
    numbers = range(first, (node.end_lineno or first) + 1)
    # The empty line after imports goes with them, but not the one before a function.
    blank = {n + 1 for n in dropped if not lines[n] and not lines[n + 1].lstrip().startswith(("def ", "class ", "@"))}
    kept = [n for n in numbers if n not in dropped | blank]
    return dedent(REMARK.sub("", "\n".join(lines[n - 1] for n in kept)))
