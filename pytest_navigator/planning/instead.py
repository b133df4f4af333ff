"""What this machine can make in place of a format that it cannot."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from pytest_navigator.devices.libraries import MODULES
from pytest_navigator.enums import Format
from pytest_navigator.records import Status

if TYPE_CHECKING:
    from pytest_navigator.package import Results
    from pytest_navigator.registry import Registry


def instead(results: Results, registry: Registry) -> list[str]:
    """Return the hint that TensorRT-RTX can build here, where TensorRT could not and nobody has asked for RTX.

    Nothing is imported to find that out: a library that cannot be used says so when it is asked for.
    """
    skipped = {
        results.variant(o.key).format
        for o in results.outcomes
        if o.step == "convert" and o.status is Status.SKIPPED and o.requirement and not o.cause
    }
    asked = {variant.format for variant in results.suite.variants}
    other = registry.formats.get(Format.TENSORRT_RTX)
    if Format.TENSORRT not in skipped or other is None or other.name in asked:
        return []
    modules = (MODULES[name][0] if name in MODULES else name for name in other.requires)
    return [f"hint: TensorRT-RTX builds here: --nav-formats={other.name}"] if all(map(find_spec, modules)) else []
