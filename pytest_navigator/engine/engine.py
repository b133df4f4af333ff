"""Ask for a step's outcome: what it needs runs first, it runs once a run, and its outcome is recorded as plain data."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

from pytest_navigator.core.plain import plain
from pytest_navigator.core.steps import KINDS, Status
from pytest_navigator.engine import gpu
from pytest_navigator.engine.ahead import beside
from pytest_navigator.engine.attempt import attempted, empty
from pytest_navigator.engine.context import Context
from pytest_navigator.engine.resuming import take_over
from pytest_navigator.profiling.memory import free

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from pytest_navigator.core.records import Outcome
    from pytest_navigator.core.steps import Step
    from pytest_navigator.engine.ahead import Ahead
    from pytest_navigator.engine.context import LiveObjects
    from pytest_navigator.engine.host import Host
    from pytest_navigator.engine.suite import Suite

    Attempt = tuple[Outcome, BaseException | None]
    """The outcome, and the exception that goes through to who debugs."""

CRASHED = "the pytest process ended while this step ran in it; -n 1 keeps such a crash to one test"
WORKER_CRASHED = "the worker process ended while this step ran in it"


def outcome(host: Host, suite: Suite, step: Step, live: LiveObjects, *, again: bool = False) -> Outcome:
    """Return the outcome of a step, running it (and what it needs) unless this run already has.

    Args:
        again: run it once more, for a retry; what it needs keeps its outcome.

    Raises:
        BaseException: what the step raised, for who debugs (`NAV_DEBUG=1`); its outcome is recorded all the same.
    """
    folder = suite.folder
    recorded = folder.record(step.id)
    if recorded is not None and not again and not host.options.resume:
        if host.ahead:
            host.ahead.note(suite, recorded)
        return recorded  # with it, who has run the source step may still be taking over what goes with it
    # Before any lock: prerequisites ask for the machine themselves, shared, which who holds it alone must not.
    blocked = _blocked(host, suite, step, live)
    if blocked is not None:
        return folder.write(blocked)
    if host.ahead and not again and (found_ahead := _asked(host, host.ahead, suite, step)):
        return found_ahead
    # What is run again changes under what comes after it.
    with beside(host.ahead, allowed=not (again or KINDS[step.step].measures)):
        if host.ahead and again:
            host.ahead.forget(suite, step)
        found = _run_here(host, suite, step, live, again=again)
    if host.ahead:
        host.ahead.note(suite, found)
    return found


def _asked(host: Host, ahead: Ahead, suite: Suite, step: Step) -> Outcome | None:
    """Record what was found of a step ahead, waiting for it if it runs; None: nothing is."""
    with host.progress.of(step.id) if ahead.runs(suite, step) else nullcontext():
        pending = ahead.take(suite, step)
    if pending is None:
        return None
    try:
        found = pending.commit(suite.folder)
    except Exception:  # its item runs it, and shows what is wrong
        ahead.drop(suite, step)
        return None
    host.hints += [hint for hint in pending.hints if hint not in host.hints]
    ahead.taken(suite, step)
    ahead.note(suite, found)
    return found


def _run_here(host: Host, suite: Suite, step: Step, live: LiveObjects, *, again: bool) -> Outcome:
    """Run a step whose prerequisites have passed, in this thread."""
    folder, context = suite.folder, Context(host, suite, step, live)
    machine, device = host.workspace.machine(exclusive=KINDS[step.step].measures), gpu.held_by(context)
    with machine, device, folder.lock(step.id):
        recorded = folder.record(step.id)
        if recorded is not None and not again:
            return recorded
        if step.id in folder.unfinished() and not again:
            return folder.bury(step.id)  # we hold its lock, so nobody runs it: whoever started it is dead
        found, error = _run(context, again=again)
        found = folder.write(found)
        if host.options.resume and step.step == "source" and found.passed:
            take_over(context)
    if error is not None and context.host.debug:
        raise error  # not where it was caught: its own cause and context would be others
    if error is not None:
        host.raised[suite.nodeid, step.id] = error  # for the step's own test, whichever test has made it run
    if again and found.passed:
        # What was skipped for want of this step is asked for anew, and now runs.
        for skipped in [o for o in folder.outcomes() if o.cause == step.id]:
            folder.forget(skipped.id)
    return found


def _blocked(host: Host, suite: Suite, step: Step, live: LiveObjects) -> Outcome | None:
    """Return the skip of a step whose prerequisite did not pass, None when all have."""
    for needed in suite.matrix.needs(step):
        before = outcome(host, suite, needed, live)
        if not before.passed:
            # All that follows from one cause says the same, so that pytest folds it into one line.
            own = before.message if before.cause else f"{needed.id} {before.status.value}: {before.message}"
            why, root = before.requirement or own, before.cause or needed.id
            return empty(step, Status.SKIPPED, message=why, requirement=before.requirement, cause=root)
    for judged in suite.matrix.judged(step):
        outcome(host, suite, judged, live)
    return None


def _run(context: Context, *, again: bool) -> Attempt:
    own = {"run": context.host.id}
    context.folder.start(_died(context, own))
    try:
        with context.host.progress.of(context.step.id), _noted(context):
            return attempted(context, again=again)
    finally:
        context.folder.finish(context.step.id)
        free()


def _noted(context: Context) -> AbstractContextManager[None]:
    """Note what another step has made run: of its own, the item is noted."""
    own = context.live.asked == context.step
    return nullcontext() if own else context.host.noted(context.step.id)


def _died(context: Context, own: dict[str, str]) -> Outcome:
    """Return what is recorded should this process end in the step."""
    worker, asked = context.host.worker, context.live.asked
    if not worker:
        return empty(context.step, Status.FAILED, message=CRASHED, error="crash", data=own)
    data = own | {"worker": worker, "asked": plain(asked)}
    return empty(context.step, Status.FAILED, message=WORKER_CRASHED, error="crash", data=data)
