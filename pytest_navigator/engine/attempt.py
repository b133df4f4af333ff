"""Try a step: what it raises becomes its outcome, which is plain data; nothing is recorded here."""

from __future__ import annotations

import time
import traceback
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pytest_navigator.core.records import Outcome
from pytest_navigator.core.steps import KINDS, Status
from pytest_navigator.core.tracebacks import users_traceback
from pytest_navigator.engine import caching, versions
from pytest_navigator.engine.cache_key import name_of
from pytest_navigator.engine.identity import identity_of
from pytest_navigator.engine.package import telling_of_another
from pytest_navigator.engine.steps import STEPS
from pytest_navigator.errors import EAGER, NavigatorError, NotApplicable, StepFailed, Unavailable
from pytest_navigator.gates.facts import NOT_WORTH
from pytest_navigator.isolation import causes
from pytest_navigator.isolation.breakdowns import broke_down
from pytest_navigator.isolation.capture import holds
from pytest_navigator.planning.required import asked_for
from pytest_navigator.reproduce.names import with_script
from pytest_navigator.text import LOG, bounded

if TYPE_CHECKING:
    from pytest_navigator.core.steps import Step
    from pytest_navigator.engine.context import Context

    Attempt = tuple[Outcome, BaseException | None]
    """The outcome, and the exception that goes through to who debugs."""


def attempted(context: Context, *, again: bool = False) -> Attempt:
    """Return the outcome of a step, as it is to be recorded.

    Args:
        again: run it, whatever the cache knows.
    """
    found, error = _cached_or_made(context, again=again)
    # After the cache: what is kept there is of every machine and package.
    found = telling_of_another(context, found)
    live = bool(context.step.runner) and context.runner.live
    found = with_script(found, context.folder.path, live=live)
    told = {"reported": True} if error is not None and context.host.debug else {}
    return found.noted(run=context.host.id, **told, **versions.noted(context)), error


def _cached_or_made(context: Context, *, again: bool) -> Attempt:
    """Return what the cache knows of the step; run it if that is nothing, and for a retry."""
    name = name_of(context)
    known = caching.recalled(context, name) if name and not again else None
    if known is not None:
        return replace(known, identity=_identity(context)), None
    logged = caching.log_size(context)
    started, begin = datetime.now(UTC), time.perf_counter()
    found, error = _attempt(context)
    found = replace(found, duration=time.perf_counter() - begin, started=started.isoformat())
    if name and found.passed:
        caching.remember(context, name, found, logged)
    return found, error


def _attempt(context: Context) -> Attempt:
    """Run the step; what it raises becomes its outcome."""
    step = context.step
    try:
        with context.host.recordable("the step"):
            result = STEPS[step.step].run(context)
    except Exception as error:
        found = _outcome_of(context, error)
        return replace(found, message=_advised(context, found.message)), _through(context, found, error)
    passed = empty(step, Status.PASSED, message=result.message, digest=result.digest, data=result.data)
    return replace(passed, identity=_identity(context)), None


def _identity(context: Context) -> str:
    """Return the identity of an outcome; "" ahead of its item, see `Host.later`."""
    return identity_of(context) if context.host.later is None else ""


def completed(context: Context, found: Outcome) -> Outcome:
    """Return what a step has found ahead of its item, with what the main thread had to do for it."""
    assert context.host.later is not None
    found = replace(found, identity=identity_of(context)) if found.passed else found
    return with_script(found, context.folder.path)


def _outcome_of(context: Context, error: Exception) -> Outcome:
    """Return the outcome of a step that raised."""
    step = context.step
    if isinstance(error, Unavailable):
        return empty(step, Status.SKIPPED, message=str(error), requirement=error.requirement)
    if isinstance(error, NotApplicable):
        return empty(step, Status.SKIPPED, message=str(error))
    found = _failure_of(context, error)
    _log(context, found.detail)
    return found


def _failure_of(context: Context, error: Exception) -> Outcome:
    """Return the outcome of a step that failed, with the whole of what is known of it."""
    step = context.step
    if isinstance(error, StepFailed):
        declined = _declined(context, error.kind, error.message, error.detail)
        status = Status.XFAILED if declined or _eager(context, error) else Status.FAILED
        return empty(step, status, message=error.message, detail=error.detail, error=error.kind, data=error.data)
    kind = type(error).__name__
    if isinstance(error, NavigatorError):
        cause = error.__cause__
        message, _, more = str(error).partition("\n")
        detail = users_traceback(cause) if cause and not isinstance(cause, NavigatorError) else more
        return empty(step, Status.FAILED, message=message, detail=detail, error=kind)
    message, trace = causes.error_line(error), "".join(traceback.format_exception(error))
    status = Status.XFAILED if _declined(context, kind, message, trace) else Status.FAILED
    return empty(step, status, message=message, detail=trace, error=kind)


def _advised(context: Context, message: str) -> str:
    """Say where advice is to be followed: `--nav-config` takes the place of a nav_config.

    A message stands in lines of its own too (summary, skips), where nothing follows on its colon.
    """
    message = message.rstrip().removesuffix(":")
    if not context.host.file_config.path or "NavConfig(" not in message:
        return message
    return f"{message} (in a nav_config, which is read where there is no --nav-config)"


def _through(context: Context, found: Outcome, error: Exception) -> BaseException | None:
    """Return the user's or a library's own exception for who debugs, None for what is an outcome and nothing else."""
    if isinstance(error, Unavailable | NotApplicable):
        return None
    if context.host.debug:
        return _raised(error)
    if context.host.debugger and found.status is Status.FAILED:
        root = causes.innermost(error)  # an exporter's own error leads away from the line of the model
        return None if isinstance(root, NavigatorError) else root
    return None


def _raised(error: BaseException | None) -> BaseException | None:
    """Return what somebody else raised: the last of several ways says what the first one did."""
    return _raised(error.__cause__) if isinstance(error, NavigatorError) else error


def _log(context: Context, detail: str) -> None:
    """Keep what the terminal shows a part of, up to a limit; a tail of the log is there already."""
    if not holds(context.log, detail):
        with context.log.open("a", encoding="utf-8", errors="backslashreplace") as log:
            log.write(f"{context.step.id}:\n{bounded(detail, LOG)}\n")


def _declined(context: Context, kind: str, message: str, detail: str) -> bool:
    """Whether a failure is none of the user's: an exporter says no to this model, for a format that nobody needs, or
    such a format is not worth what it loses.

    A crash, a hang or a lack of memory is no such answer, and neither are wrong numbers.
    """
    if not (KINDS[context.step.step].makes or kind == NOT_WORTH) or context.suite.matrix.asked_for(context.step.key):
        return False
    return not broke_down(kind, message, detail)


def _eager(context: Context, error: StepFailed) -> bool:
    """Whether a compiler that nobody asked for leaves the model alone: its numbers would be the eager ones."""
    if error.kind != EAGER:
        return False
    asked = {context.step.runner, context.runner.runtime} & {*(context.suite.settings.runtimes or ())}
    return not asked and not asked_for(context.suite.matrix.required, context.step.id)


def empty(step: Step, status: Status, **fields: object) -> Outcome:
    """Return an outcome with some of its fields."""
    return Outcome(step.step, status, step.key, step.runner, step.batch, **fields)  # type: ignore[arg-type]
