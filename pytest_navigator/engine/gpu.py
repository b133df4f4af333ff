"""What a step has to do with the machine: whether it uses the GPU, and whether an artifact was built for it."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

from pytest_navigator.core.facts import SourceFacts, as_data, facts_of
from pytest_navigator.core.plain import structured
from pytest_navigator.devices import built_with as bound
from pytest_navigator.devices.assignment import held
from pytest_navigator.devices.present import devices
from pytest_navigator.engine import isolated
from pytest_navigator.errors import Unavailable
from pytest_navigator.isolation.importing import path_of

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from pytest_navigator.core.plain import JSON
    from pytest_navigator.engine.context import Context
    from pytest_navigator.formats.base import Format


def held_by(context: Context) -> AbstractContextManager[None]:
    """Hold this process's GPU during a step that uses it: two at once would disturb each other, or find no memory."""
    return held() if uses(context) else nullcontext()


def uses(context: Context) -> bool:
    """Whether a step may run on the GPU; nobody knows where the model lies before the source step has run."""
    source = context.folder.record("source")
    live_on_cpu = facts_of(source, SourceFacts).device.startswith("cpu")
    if context.step.runner:
        return context.runner.device == "cuda" or (context.runner.live and not live_on_cpu)
    form = context.host.registry.formats.get(context.variant.format)
    if context.step.step == "convert" and form is not None:
        return any("cuda" in name for name in form.requires_for(context.suite.matrix.framework))
    return not live_on_cpu


def built_with(context: Context) -> dict[str, JSON]:
    """Return what is to be recorded of a step that makes a bound artifact, and what its outcome depends on."""
    form = context.host.registry.formats.get(context.variant.format)
    if context.step.runner or form is None or not form.bound or context.variant.parameters.get("model_path"):
        return {}  # nobody knows where a ready file was built
    return as_data(bound.BoundFacts(_here(form, context)))


def why_elsewhere(form: Format, context: Context) -> str:
    """Return why what this process builds of a format does not run on its own GPU; "" if it does."""
    if not form.bound or "gpu" not in form.bound_to or not devices().gpus:
        return ""
    built = _here(form, context)
    return bound.mismatch(built, built) or ""


def require_same(context: Context) -> None:
    """Skip a step whose artifact was built for another GPU, processor or version of its library than this one has.

    Raises:
        Unavailable: "built with ...; found ...".
    """
    form = context.host.registry.formats.get(context.variant.format)
    if form is None or not form.bound or context.runner.live:
        return
    made = context.folder.record(context.suite.matrix.making(context.variant.key).id)
    built = bound.recorded(made, context.variant.key) if made else None
    text = bound.mismatch(built, _found(form, context, built)) if built else None
    if text:
        raise Unavailable(text)


def elsewhere(context: Context, built: bound.BuiltWith | None) -> str:
    """Return why an artifact of the step's format, built with something, does not run here; "" if it does."""
    form = context.host.registry.formats.get(context.variant.format)
    if form is None or not form.bound or built is None:
        return ""
    return bound.mismatch(built, _found(form, context, built)) or ""


def _found(form: Format, context: Context, built: bound.BuiltWith) -> bound.BuiltWith:
    """Return what is here of what an artifact is bound to."""
    return bound.found_here(built, _here(form, context).library)


def _here(form: Format, context: Context) -> bound.BuiltWith:
    """Return what an artifact of a bound format would be built with by this process, or by the format's own Python."""
    parameters = context.variant.parameters
    if context.command:
        found = context.isolated(isolated.built_with, format=path_of(type(form)), parameters=parameters)
        return structured(found, bound.BuiltWith)
    return form.built_here(parameters)
