"""What is installed in the Python of a step: its outcome depends on that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_navigator.devices.libraries import MODULES
from pytest_navigator.devices.requirements import CHECKS
from pytest_navigator.engine import isolated
from pytest_navigator.engine.cache import hardware
from pytest_navigator.engine.cache.libraries import versions_here
from pytest_navigator.errors import NavigatorError

OF_DEVICES = {*CHECKS} - {*MODULES}  # Requirements that are no module

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_navigator.core.plain import JSON
    from pytest_navigator.engine.context import Context


def versions_of(context: Context, names: Sequence[str], modules: Sequence[str] = ()) -> dict[str, Any]:
    """Return "python" and "libraries" (name of a distribution -> version, None: not installed) of the Python of a step.

    Args:
        modules: import names; "direct" are the distributions that they come from, "versions" what these depend on, too.

    Returns:
        Why nobody knows instead, where that Python does not answer: the step itself fails of that.
    """
    if not context.command:
        return versions_here(names, modules)
    known = context.host.versions
    key = (context.command, tuple(names), tuple(modules))
    if key not in known:
        try:
            found = context.isolated(isolated.versions, names=list(names), modules=list(modules))
        except NavigatorError as error:
            return {"unknown": str(error)}
        # It runs this very package, whatever is installed there.
        own = versions_here(("pytest-navigator",))["libraries"]
        known[key] = {**found, "libraries": {**found["libraries"], **own}}
    return known[key]


def gpu_of(context: Context) -> JSON:
    """Return the GPU of this process, its driver, and the libraries for it in the Python of a step."""
    if not context.command:
        return hardware.gpu()
    try:
        return context.isolated(isolated.gpu)
    except NavigatorError as error:
        return str(error)


def noted(context: Context) -> dict[str, dict[str, str]]:
    """Return what is noted on the outcome of a step that another Python has made: its version, and the libraries'."""
    if not context.command or context.step.step == "export":  # an export is made here
        return {}
    modules = [MODULES[name][0] if name in MODULES else name for name in required(context) if name not in OF_DEVICES]
    found = versions_of(context, (), ["numpy", *modules])
    return {"interpreter": {"python": str(found.get("python", "")).partition(" ")[0], **found.get("direct", {})}}


def required(context: Context) -> tuple[str, ...]:
    """Return what a step needs of a machine, names of packages among it."""
    if context.step.runner:
        return context.runner.requires
    return context.host.registry.format(context.variant.format).requires_for(context.suite.matrix.framework)


def versioned(context: Context) -> tuple[str, ...]:
    """Return what a step needs, and what making its artifact uses where that is installed."""
    if context.step.runner:
        return required(context)
    return (*required(context), *context.host.registry.format(context.variant.format).made_with)
