"""The budget step: a cell keeps one limit; where it does not, what was measured for it is measured once more."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_navigator.configuration.settings import with_origin
from pytest_navigator.core.digests import size_of
from pytest_navigator.core.facts import as_data
from pytest_navigator.core.steps import batch_of
from pytest_navigator.engine import profile
from pytest_navigator.engine.context import Result
from pytest_navigator.engine.step_code import StepCode
from pytest_navigator.errors import NotApplicable, StepFailed
from pytest_navigator.gates.budgets import judge, measured_of

if TYPE_CHECKING:
    from pytest_navigator.core.records import ProfileResult
    from pytest_navigator.engine.context import Context
    from pytest_navigator.gates.budgets import Measured

OVER = "budget"  # Type of the failure, in the record


def run(context: Context) -> Result:
    """Judge; what is not within its limit raises StepFailed."""
    matrix = context.suite.matrix
    limit, profiles = matrix.limit_of(context.step), matrix.measured(context.step)
    if limit.measured and not profiles:
        raise NotApplicable(f"nothing is measured: {with_origin(context.suite.settings, 'profile')}")
    if limit.bound == "speedup" and len(profiles) < 2:
        raise NotApplicable("the source, which a speed-up is measured against, is not part of this run on this device")
    measured = _measured(context)
    found = judge(limit, measured)
    if found.values and not found.kept and limit.measured:
        # What disturbs a measurement is over when it is made again, and a child that has run others is larger.
        own, *sources = [_again(replace(context, step=step)) for step in profiles]
        more = replace(measured, profiles=(*measured.profiles, own), sources=(*measured.sources, *sources))
        found = judge(limit, more)
    if not found.kept:
        raise StepFailed(found.line, kind=OVER, data=as_data(found))
    return Result(as_data(found), message=found.note)


def _measured(context: Context) -> Measured:
    """Return what is recorded of the cell."""
    matrix, step, folder = context.suite.matrix, context.step, context.folder
    made, profiles = matrix.making(step.key), matrix.measured(step)
    needed = [*matrix.needs(step), made]
    outcomes = [outcome for each in needed if (outcome := folder.record(each.id)) is not None]
    found = measured_of((step.key, step.runner), context.runner.device, outcomes, profiles[1:])
    if found.size is None and context.variant.file:
        found = replace(found, size=size_of(context.artifact()))
    return found


def _again(context: Context) -> ProfileResult:
    """Measure what a profile step does once more, in a child that has run nothing else unless it is live."""
    if not context.runner.live:
        context.host.children.of(context.command).close()
    result = profile.measured(context, batch_of(context.step.batch, context.folder.source.max_batch_size)).result
    assert result is not None
    return result


STEP = StepCode(run)
