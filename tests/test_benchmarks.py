"""Benchmarks are run by hand: what they take of ours is there, so that none ends with an ImportError."""

from __future__ import annotations

import ast
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from types import ModuleType

BENCHMARKS = sorted((Path(__file__).parents[1] / "benchmarks").glob("*.py"))


def taken(path: Path) -> list[tuple[str, str]]:
    """Return each name that a file imports of ours, with its module."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
    own = [node for node in found if str(node.module).partition(".")[0] == "pytest_navigator"]
    return [(str(node.module), alias.name) for node in own for alias in node.names]


def is_there(module: ModuleType, name: str) -> bool:
    """Whether a module has a name, or a package a module of that name."""
    is_package = hasattr(module, "__path__")
    return hasattr(module, name) or (is_package and find_spec(f"{module.__name__}.{name}") is not None)


@pytest.mark.parametrize("path", BENCHMARKS, ids=lambda path: path.stem)
def test_what_a_benchmark_imports_of_ours_is_there(path: Path) -> None:
    missing = [f"{module}.{name}" for module, name in taken(path) if not is_there(import_module(module), name)]

    assert missing == []
