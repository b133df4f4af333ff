"""What this machine could make or run in place of what it cannot."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from pytest_navigator.core.enums import Format
from pytest_navigator.core.steps import Status
from pytest_navigator.devices.libraries import MODULES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_navigator.formats.registry import Registry
    from pytest_navigator.package.query.results import Results


def instead(results: Results, registry: Registry) -> list[str]:
    """Return the hint that TensorRT-RTX can build here, where TensorRT could not and nobody has asked for RTX."""
    skipped = {
        results.variant(o.key).format
        for o in results.outcomes
        if o.step == "convert" and o.status is Status.SKIPPED and o.requirement and not o.cause
    }
    asked = {variant.format for variant in results.suite.variants}
    other = registry.formats.get(Format.TENSORRT_RTX)
    if other is None or other.name in asked or results.suite.framework not in (*other.frameworks, other.name):
        return []
    if Format.TENSORRT not in skipped and not results.suite.elsewhere:
        return []
    return [f"hint: TensorRT-RTX builds here: --nav-formats={other.name}"] if _installed(other.requires) else []


def other_runners(results: Results, registry: Registry) -> list[str]:
    """Return the names of the runners of a suite's files that the settings leave out and this machine could run."""
    forms = dict.fromkeys(variant.format for variant in results.suite.variants if variant.file)
    runners = [r for name in forms if name in registry.formats for r in registry.format(name).runner_specs]
    possible = [r for r in runners if r.default and r.device == "cpu" and _installed(r.requires)]
    return [r.name for r in possible if r.name not in results.suite.runners]


def _installed(names: Iterable[str]) -> bool:
    """Whether every requirement is a package that is there; no is also said of what is no package.

    Nothing is imported to find that out: a library that cannot be used says so when it is asked for.
    """
    return all(find_spec(MODULES[name][0] if name in MODULES else name) is not None for name in names)
