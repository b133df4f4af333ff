"""Which framework a model is of: told without building it and without importing a framework."""

from __future__ import annotations

import ast
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

from pytest_navigator.errors import ConfigError
from pytest_navigator.plugin.places import function_of

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_navigator.configuration.config import NavConfig
    from pytest_navigator.formats.registry import Registry
    from pytest_navigator.plugin.places import Place

# How a return annotation names any function of arrays; stands for the package of the framework "python".
CALLABLE = "Callable"
# Packages that no model of a framework comes from.
NO_MODELS = {*sys.stdlib_module_names, "numpy", "pytest", "pytest_navigator", "scipy"}


def framework_of(place: Place, config: NavConfig | None, registry: Registry) -> str:
    """Tell the framework without building the model or importing a framework.

    From nav_config, else the return annotation of `nav_model`, else the only framework that its module imports; a
    callable where it imports nothing that a model could come from; else the only framework that is installed.

    Raises:
        ConfigError: it cannot be told; says what to write.
    """
    if place.framework or (config is not None and config.framework):
        return _said(place, config, registry)
    providers = (_annotated, _imported, _callable, _installed)
    packages = {p: name for name, listed in registry.frameworks.listed.items() for p in listed.marks if p}
    packages[CALLABLE] = "python"
    for provider in providers:
        found = {packages[p] for p in provider(place, packages)}
        if len(found) == 1:
            return found.pop()
    raise ConfigError(
        f"the framework of {place.nodeid} cannot be told; {place.advice}, one of: "
        f"{', '.join(sorted(registry.frameworks))}"
    )


def _said(place: Place, config: NavConfig | None, registry: Registry) -> str:
    """Return the framework that is said outright."""
    configured = registry.framework(config.framework).name if config is not None and config.framework else ""
    if place.framework and configured not in ("", place.framework):
        raise ConfigError(f"{place.nodeid} is {place.framework!r}, but nav_config says framework={configured!r}")
    return place.framework or configured


def _annotated(place: Place, packages: dict[str, str]) -> set[str]:
    annotation = function_of(place.fixture).__annotations__.get("return", "")
    text = annotation if isinstance(annotation, str) else f"{annotation.__module__}.{_name(annotation)}"
    if text.partition("[")[0].rpartition(".")[2] == CALLABLE:
        return {CALLABLE}
    head = text.partition(".")[0]
    return {_aliases(place.source).get(head, head)} & set(packages)


def _name(annotation: object) -> str:
    return str(getattr(annotation, "__name__", ""))


def _imported(place: Place, packages: dict[str, str]) -> set[str]:
    return _imports(place.source) & set(packages)


def _callable(place: Place, packages: dict[str, str]) -> set[str]:
    return set() if _imports(place.source) - NO_MODELS else {CALLABLE}


def _installed(place: Place, packages: dict[str, str]) -> set[str]:
    return {p for p in packages if p != CALLABLE and find_spec(p) is not None}


def _imports(path: Path) -> set[str]:
    """Read the imports of a file: names, not modules, so that nothing is imported; "" for a relative one."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    modules = [a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names]
    modules += ["" if n.level else n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)]
    return {m.split(".")[0] for m in modules}


def _aliases(path: Path) -> dict[str, str]:
    """Return the package that each imported name of a file comes from: `tf` from `import tensorflow as tf`."""
    found: dict[str, str] = {}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.asname: alias.name.partition(".")[0] for alias in node.names if alias.asname}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= dict.fromkeys((a.asname or a.name for a in node.names), node.module.partition(".")[0])
    return found
