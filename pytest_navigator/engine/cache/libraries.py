"""Which versions a step depends on: of the distributions that it uses, and of what these depend on."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions, version
from typing import TYPE_CHECKING, Any

from packaging.requirements import Requirement

if TYPE_CHECKING:
    from collections.abc import Iterable


# Requirements that are no distributions -> what says their version.
PROGRAMS = {"c++ compiler": ("g++", "--version")}


def versions_here(names: Iterable[str], modules: Iterable[str] = ()) -> dict[str, Any]:
    """Return "python", "libraries", "versions" and "direct" of this Python; see `engine.versions`."""
    found: dict[str, Any] = {"python": sys.version, "libraries": {name: _version(name) for name in names}}
    if not (modules := list(modules)):
        return found
    direct = {name for module in modules for name in _distributions(module.partition(".")[0])}
    known = {name: text for name in sorted(direct) if (text := _version(name))}
    return {**found, "versions": versions(modules), "direct": known}


def versions(modules: Iterable[str]) -> dict[str, str | None]:
    """Return name -> version (None: not installed) of everything that modules come from and depend on.

    Args:
        modules: names as they are imported; of a module in a package, the first part counts.
    """
    found: dict[str, str | None] = {}
    pending = [name for module in modules for name in _distributions(module.partition(".")[0])]
    while pending:
        name = re.sub(r"[-_.]+", "-", pending.pop()).lower()
        if name not in found:
            found[name], needed = _read(name)
            pending += needed
    return dict(sorted(found.items()))


def own_versions(modules: Iterable[str]) -> dict[str, str]:
    """Return name -> version of the distributions that modules come from, without what these depend on."""
    names = {name for module in modules for name in _distributions(module.partition(".")[0])}
    return {name: version for name in sorted(names) if (version := _read(name)[0])}


def _distributions(module: str) -> list[str]:
    """Return the distributions of a module, `tensorflow_cpu` of `tensorflow`; its own name if it has none."""
    return _known().get(module, [module])


@cache
def _known() -> dict[str, list[str]]:
    """Ask every distribution once a process: 0.3 s for some hundred of them."""
    return {module: sorted(set(names)) for module, names in packages_distributions().items()}


@cache
def _read(name: str) -> tuple[str | None, list[str]]:
    if name in PROGRAMS:
        return _answer(name), []
    try:
        found = distribution(name)
    except PackageNotFoundError:
        return None, []
    wanted = [Requirement(text) for text in found.requires or ()]
    # Nothing records which extras somebody has asked for: what only an extra needs is not followed.
    return found.version, [w.name for w in wanted if w.marker is None or w.marker.evaluate({"extra": ""})]


@cache
def _version(name: str) -> str | None:
    if name in PROGRAMS:
        return _answer(name)
    try:
        return version(name)
    except PackageNotFoundError:
        return None


@cache
def _answer(name: str) -> str | None:
    """Return the first line of what a program says of itself, None where there is none."""
    try:
        found = subprocess.run(PROGRAMS[name], capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.partition("\n")[0]
