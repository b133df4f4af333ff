"""The regression step: what is worse than in the baseline, of the model or of one cell."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from pytest_navigator.core.digests import digest_of
from pytest_navigator.core.facts import as_data
from pytest_navigator.core.steps import Step
from pytest_navigator.devices import built_with
from pytest_navigator.engine import speed
from pytest_navigator.engine.beside import Artifact
from pytest_navigator.engine.context import Result
from pytest_navigator.engine.step_code import StepCode
from pytest_navigator.engine.workspace import BASELINE_FILES
from pytest_navigator.errors import NotApplicable, PackageError, StepFailed
from pytest_navigator.gates.facts import RegressionFacts, SpeedFacts
from pytest_navigator.gates.growth import OWN
from pytest_navigator.gates.regression import cell_rows, model_rows, other_model, outputs_row, speed_row
from pytest_navigator.gates.row_text import caveat, failure, row_line
from pytest_navigator.gates.sides import Side
from pytest_navigator.gates.speed import not_judged

if TYPE_CHECKING:
    from pytest_navigator.engine.context import Context
    from pytest_navigator.engine.host import Host
    from pytest_navigator.gates.sides import Baseline

REGRESSED = "regression"  # Type of the failure, in the record


def run(context: Context) -> Result:
    """Judge; what is worse raises StepFailed."""
    baseline = context.folder.baseline
    assert baseline is not None
    if baseline.side is None:
        raise NotApplicable(f"no baseline: {baseline.absence}")
    now = side_of(context)
    judge = _cell if context.step.key else _model
    facts = judge(context, baseline, baseline.side, now, other_model(baseline.side, now))
    if line := failure(facts.rows, baseline.since):
        raise StepFailed(line, "\n".join(row_line(row, word=True) for row in facts.rows), REGRESSED, as_data(facts))
    return Result(as_data(facts), message=caveat(facts.rows))


def _model(context: Context, baseline: Baseline, before: Side, now: Side, other: str) -> RegressionFacts:
    if other:
        raise StepFailed(f"nothing can be compared with {baseline.since}: {other}", kind=REGRESSED)
    assert context.suite.baseline is not None
    rows = model_rows(before, now)
    if not any(row.topic == "signature" for row in rows):
        rows += outputs_row(context.suite.baseline.other_outputs(context.folder.path, now.samples))
    return RegressionFacts(baseline.since, tuple(rows))


def _cell(context: Context, baseline: Baseline, before: Side, now: Side, other: str) -> RegressionFacts:
    if other:
        raise NotApplicable(f"nothing can be compared with {baseline.since}: {other}")
    cell = context.step.key, context.step.runner
    rows = cell_rows(before, now, cell, context.suite.settings.max_growth)
    found = _speed(context, before) if before.passed(cell) and now.passed(cell) else None
    if found is None:
        return RegressionFacts(baseline.since, tuple(rows))
    return RegressionFacts(baseline.since, (*rows, speed_row(now.cell_id(cell), found)), found)


def _speed(context: Context, before: Side) -> SpeedFacts | None:
    """Measure beside the baseline's artifact; None where no speed is asked for, or there is none of a file."""
    if not context.suite.matrix.batches or context.runner.live:
        return None
    key = context.step.key
    assert context.suite.baseline is not None
    assert before.signature is not None
    place = context.folder.path / BASELINE_FILES
    try:
        context.suite.baseline.extract(key, place)
        bound = before.made(key)
        built = built_with.recorded(bound, key) if bound else None
        return speed.against(context, Artifact(str(place), before.variants[key], before.signature, built))
    except PackageError as error:
        return not_judged(str(error))
    finally:
        shutil.rmtree(place, ignore_errors=True)


def side_of(context: Context) -> Side:
    """Return what this run has recorded of what the step judges: of other steps nobody knows whether they have run."""
    folder, matrix, step = context.folder, context.suite.matrix, context.step
    made = [matrix.making(step.key)] if step.key else []
    steps = dict.fromkeys((Step("source"), *made, *matrix.judged(step)))
    outcomes = tuple(found for each in steps if (found := folder.record(each.id)))
    inputs = sorted((folder.path / "model_input").rglob("*.npz"))
    samples = {path.relative_to(folder.path).as_posix(): digest_of(path) for path in inputs}
    return Side(folder.suite, outcomes, folder.known_signature(), samples, mixed=_mixed(context.host))


def _mixed(host: Host) -> str:
    if host.options.in_process:
        return OWN
    return "workers share the runners by chance" if host.worker else ""


STEP = StepCode(run)
