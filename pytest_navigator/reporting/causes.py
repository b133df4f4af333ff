"""What a run failed for: one cause for all that follows from it, with its place in the user's code (pure)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_navigator.core.facts import facts_of
from pytest_navigator.core.steps import Status, item_name
from pytest_navigator.gates.facts import RegressionFacts
from pytest_navigator.gates.rows import worse
from pytest_navigator.reporting.pipelines import item_of
from pytest_navigator.reporting.report import cell_ids
from pytest_navigator.reporting.shortcomings import NOTHING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_navigator.core.records import Outcome
    from pytest_navigator.package.query.results import Results
    from pytest_navigator.reporting.pipelines import PipelineReport
    from pytest_navigator.reporting.run_report import ModelReport, Place, RunReport


@dataclass(frozen=True)
class Cause:
    """One reason why a run is not in order.

    Attributes:
        model: its name; "" for a test of the user's own.
        test: what the generated test is called, or the node id of another one; "" for what no test reports.
        message: one line.
        detail: the fuller text.
        more: how many other steps failed in the same words.
    """

    model: str
    test: str
    message: str
    detail: str = ""
    place: Place | None = None
    more: int = 0


def causes(run: RunReport) -> list[Cause]:
    """Return every cause, those that sound the same as one."""
    found: dict[tuple[str, ...], Cause] = {}
    for cause in every_cause(run):
        key = (cause.test.partition("[")[0], cause.message, str(cause.place)) if cause.model else (cause.test,)
        known = found.get(key)
        found[key] = replace(known, more=known.more + 1) if known else cause
    return list(found.values())


def every_cause(run: RunReport) -> Iterator[Cause]:
    """Yield every cause, each by itself."""
    for model in filter(lambda each: each.failed, run.models):
        name, place = model.results.suite.name, _place_of_suite(run, model.results)
        for outcome in model.failures:
            if _follows(model, outcome):
                continue
            test = test_name(model.results, outcome)
            own = run.places.get(outcome.notes.nodeid, place)
            yield Cause(name, test, outcome.message or outcome.error, outcome.detail, own)
        yield from (Cause(name, "", reason, place=place) for reason in _own_reasons(model))
    for pipeline in run.pipelines:
        yield from _of_pipeline(run, pipeline)
    for other in run.others:
        yield Cause("", other.nodeid, other.message, place=run.places.get(other.nodeid))


def _of_pipeline(run: RunReport, pipeline: PipelineReport) -> Iterator[Cause]:
    for mix in pipeline.mixes:
        if mix.status is Status.FAILED:  # a test of the user's that failed with it is a cause of its own
            place = run.places.get(f"{pipeline.nodeid}::{item_of(mix)}")
            yield Cause(pipeline.name, item_of(mix), mix.message, place=place)
    yield from (Cause(pipeline.name, "", reason) for reason in pipeline.reasons)


def _follows(model: ModelReport, outcome: Outcome) -> bool:
    """Whether a cell is worse than in the baseline for nothing but that a step of it failed, which is a cause."""
    rows = worse(facts_of(outcome, RegressionFacts).rows)
    same = (o for o in model.failures if o.key == outcome.key and o.runner in ("", outcome.runner))
    return bool(rows) and all(row.topic == "coverage" for row in rows) and any(o.step != "regression" for o in same)


def _own_reasons(model: ModelReport) -> list[str]:
    """Return the reasons that do not only repeat which step failed."""
    told = [f"{words} failed" for o in model.failures for words in (o.id, _words(o))]
    told += [f"{NOTHING} {model.results.suite.name} "] if model.failures else []
    own = (reason for reason in model.reasons if reason not in model.repeats)
    return [reason for reason in own if not any(words in reason for words in told)]


def _words(outcome: Outcome) -> str:
    return " ".join(filter(None, (outcome.step, outcome.key, outcome.runner)))


def test_name(results: Results, outcome: Outcome) -> str:
    """Return what the test of a step is called: `test_profile[onnx-cpu-batch1]`."""
    if outcome.step == "verify":
        return outcome.notes.nodeid.rpartition("::")[2] or "verify"
    cell = cell_ids(results, [(outcome.key, outcome.runner)])[0] if outcome.key else ""
    return item_name(outcome.step, cell, outcome.batch)


def _place_of_suite(run: RunReport, results: Results) -> Place | None:
    """Return the place of the tests of a suite, which all have that of their `nav_model`."""
    head = results.suite.nodeid.partition("[")[0]
    return next((place for nodeid, place in run.places.items() if nodeid.startswith(f"{head}::")), None)
