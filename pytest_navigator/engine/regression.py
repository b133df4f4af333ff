"""The regression step: what is worse than in the baseline, of the model or of one cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.core.digests import digest_of
from pytest_navigator.core.facts import as_data
from pytest_navigator.engine.context import Result
from pytest_navigator.engine.step_code import StepCode
from pytest_navigator.errors import NotApplicable, StepFailed
from pytest_navigator.gates import regression
from pytest_navigator.gates.row_text import caveat, failure, row_line
from pytest_navigator.gates.sides import Side

if TYPE_CHECKING:
    from pytest_navigator.engine.context import Context
    from pytest_navigator.engine.workspace import SuiteFolder
    from pytest_navigator.gates.rows import Row
    from pytest_navigator.gates.sides import Baseline

REGRESSED = "regression"  # Type of the failure, in the record


def run(context: Context) -> Result:
    """Judge; what is worse raises StepFailed."""
    baseline = context.folder.baseline
    if baseline.side is None:
        raise NotApplicable(f"no baseline: {baseline.absence}")
    now = side_of(context.folder)
    other = regression.other_model(baseline.side, now)
    rows = _cell(context, baseline, baseline.side, now, other) if context.step.key else _model(baseline, now, other)
    data = as_data(regression.RegressionFacts(baseline.since, tuple(rows)))
    if line := failure(rows, baseline.since):
        raise StepFailed(line, "\n".join(map(row_line, rows)), REGRESSED, data)
    return Result(data, message=caveat(rows))


def _model(baseline: Baseline, now: Side, other: str) -> list[Row]:
    if other or baseline.side is None:
        raise StepFailed(f"nothing can be compared with {baseline.since}: {other}", kind=REGRESSED)
    return regression.model_rows(baseline.side, now)


def _cell(context: Context, baseline: Baseline, before: Side, now: Side, other: str) -> list[Row]:
    if other:
        raise NotApplicable(f"nothing can be compared with {baseline.since}: {other}")
    return regression.cell_rows(before, now, (context.step.key, context.step.runner))


def side_of(folder: SuiteFolder) -> Side:
    """Return what this run has recorded so far."""
    inputs = sorted((folder.path / "model_input").rglob("*.npz"))
    samples = {path.relative_to(folder.path).as_posix(): digest_of(path) for path in inputs}
    return Side(folder.suite, tuple(folder.outcomes()), folder.known_signature(), samples)


STEP = StepCode(run)
