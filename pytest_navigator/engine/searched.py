"""What a search for accuracy goes by, which leaves layers in floating point while a model is quantized."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.comparison.computed import read
from pytest_navigator.engine.correctness import computed_in, rules_of
from pytest_navigator.errors import StepFailed

if TYPE_CHECKING:
    from pytest_navigator.comparison.tolerances import Rule
    from pytest_navigator.core.plain import Parameters
    from pytest_navigator.engine.context import Context


def check_search(context: Context) -> None:
    """Refuse a search that would be ended by the time limit of its step.

    Raises:
        StepFailed: with both.
    """
    asked, limit = _asked(context), context.suite.settings.timeout
    if asked.get("search") and asked["search_seconds"] >= limit:
        raise StepFailed(
            f"search_seconds={asked['search_seconds']:g} is not less than the time limit of a step, {limit:g} s: raise "
            "--nav-timeout, or let it search for less"
        )


def rules_of_search(context: Context) -> dict[str, Rule]:
    """Return the rule of every output, that of its correctness on the first of its runners; none without a search."""
    if not _asked(context).get("search"):
        return {}
    source, parameters = context.folder.source, context.variant.parameters
    runner, *_ = context.host.registry.format(context.variant.format).runner_specs
    told = {name: read(text) for name, text in source.computed_in.items()}
    computed = {name: computed_in(found, source.device, parameters, runner.device) for name, found in told.items()}
    cell = f"{context.variant.key}-{runner.runtime}"
    return rules_of(context, context.variant, context.folder.signature, computed, cell)


def _asked(context: Context) -> Parameters:
    return context.variant.parameters.get("quantization") or {}
