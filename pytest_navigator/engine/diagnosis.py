"""After a comparison has failed: where its numbers first go another way. This never makes a failure another one."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_navigator.comparison.divergence import FOLDER, NOT_APPLICABLE, UNKNOWN, Divergence
from pytest_navigator.core.expected import FAIL_CORRECTNESS
from pytest_navigator.core.plain import structured
from pytest_navigator.engine import isolated
from pytest_navigator.errors import NavigatorError, NotApplicable, StepFailed
from pytest_navigator.formats.diagnosis import Question, worst_case
from pytest_navigator.isolation.causes import error_line
from pytest_navigator.isolation.importing import imported
from pytest_navigator.isolation.live_section import live_section
from pytest_navigator.runners.spec import runner_class

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_navigator.comparison.tolerances import Rule
    from pytest_navigator.core.records import Case, OutputReport
    from pytest_navigator.engine.context import Context

SECONDS = 60.0  # A diagnosis may take, or the time limit of the step, if that is less
GRACE = 5.0  # s that the child has to say what it found until then


def diagnose(
    context: Context, reports: Sequence[OutputReport], cases: Sequence[Case], rules: Mapping[str, Rule]
) -> Divergence | None:
    """Return where the numbers of the sample that failed worst first go another way.

    Returns:
        None: nobody wants to know (`--nav-no-diagnosis`), or the failure is an expected one.
    """
    if context.host.options.no_diagnosis or _is_expected(context):
        return None
    question = _question(context, reports, cases, rules)
    return replace(
        _answer(context, question),
        sample=question.case.sample,
        case=question.case.kind,
        seconds=round(time.monotonic() - question.began, 3),
    )


def _is_expected(context: Context) -> bool:
    """Whether nobody is surprised: the failure is expected, by nav_config or by `nav_expected.toml`."""
    expected = context.suite.settings.expected
    line = expected.lines.get(_cell(context)) if expected else None
    return _cell(context) in context.suite.matrix.xfail or (line is not None and FAIL_CORRECTNESS in line.outcomes)


def forget(context: Context) -> None:
    """Remove what an earlier attempt of this step has left."""
    folder = context.folder.path / context.variant.key / FOLDER / _cell(context)
    shutil.rmtree(folder, ignore_errors=True)
    folder.with_name(f"{folder.name}.py").unlink(missing_ok=True)


def _answer(context: Context, question: Question) -> Divergence:
    path = _path(context)
    if not path:
        return Divergence(NOT_APPLICABLE, reason=f"no way is known to look into {context.variant.format}")
    try:
        return _compared(context, question, path)
    except NotApplicable as error:
        return Divergence(NOT_APPLICABLE, reason=str(error))
    except Exception as error:
        return Divergence(UNKNOWN, reason=_why(error, question.seconds))


def _why(error: Exception, seconds: float) -> str:
    if isinstance(error, StepFailed) and error.kind == "timeout":
        return f"it took more than {seconds:g} s"
    return str(error) if isinstance(error, NavigatorError) else error_line(error)


def _compared(context: Context, question: Question, path: str) -> Divergence:
    question.references.mkdir(parents=True, exist_ok=True)
    try:
        way = imported(path)()
        if way.asks_model(question):
            source = context.live.source()
            with live_section(context.log, question.left), source.preserved():
                way.capture(source, question)
        limited = replace(context, spent=context.suite.settings.timeout - max(question.left, 0) - GRACE)
        return structured(limited.isolated(isolated.diagnose, question=question, path=path), Divergence)
    finally:
        shutil.rmtree(question.references, ignore_errors=True)


def _path(context: Context) -> str:
    """Return where the code is that looks into the artifact, "" if there is none."""
    forms = context.host.registry.formats
    own = forms[context.variant.format].diagnosis if context.variant.format in forms else ""
    return runner_class(context.runner).diagnosis or own


def _question(
    context: Context, reports: Sequence[OutputReport], cases: Sequence[Case], rules: Mapping[str, Rule]
) -> Question:
    case, failed = worst_case(reports, cases)
    return Question(
        str(context.folder.path),
        context.variant.key,
        {**context.suite.matrix.variants, context.variant.key: context.variant},
        context.runner,
        _cell(context),
        context.folder.signature,
        case,
        failed,
        dict(rules),
        min(SECONDS, context.limit),
    )


def _cell(context: Context) -> str:
    return context.suite.matrix.cell_id(context.variant.key, context.runner.name)
