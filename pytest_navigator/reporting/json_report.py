"""`--nav-json`: the records of a run as one JSON file, by the schema in docs/report.schema.json (pure)."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from pytest_navigator._version import __version__
from pytest_navigator.core.plain import plain
from pytest_navigator.core.privacy import scrubbed, scrubber
from pytest_navigator.package.layout.own_part import details
from pytest_navigator.text import RECORD, bounded, writable

if TYPE_CHECKING:
    from pytest_navigator.core.plain import JSON
    from pytest_navigator.reporting.pipelines import PipelineReport
    from pytest_navigator.reporting.run_report import ModelReport, RunReport

SCHEMA = 1  # Raised when something that readers go by changes; what is only added does not count


def render(run: RunReport) -> str:
    """Return the file: JSON by the letter, so that infinite and undefined numbers are "Infinity" and "NaN"."""
    content = scrubbed(document(run), scrubber())
    return writable(json.dumps(_finite(content), indent=1, ensure_ascii=False, allow_nan=False)) + "\n"


def document(run: RunReport) -> dict[str, JSON]:
    """Return its content as plain data."""
    return {
        "pytest_navigator": __version__,
        "schema_version": SCHEMA,
        "passed": not run.failed,
        "exit_code": run.exit_code,
        "ended": run.ended,
        "environment": dict(run.environment),
        "models": [_model(run, model) for model in run.models],
        "pipelines": [_pipeline(run, each) for each in run.pipelines],
        "other_failures": [{"nodeid": other.nodeid, "message": other.message} for other in run.others],
    }


def _model(run: RunReport, model: ModelReport) -> dict[str, JSON]:
    results = model.results
    return {
        "name": results.suite.name,
        "passed": not model.failed,
        "failures": [outcome.id for outcome in model.failures],
        "reasons": list(model.reasons),
        "package": run.shown(model.package) if model.package else None,
        "records": _records(run, model),
    }


def _pipeline(run: RunReport, pipeline: PipelineReport) -> dict[str, JSON]:
    return {
        "name": pipeline.name,
        "nodeid": pipeline.nodeid,
        "passed": not pipeline.failed,
        "reasons": list(pipeline.reasons),
        "package": run.shown(pipeline.package) if pipeline.package else None,
        "modules": list(pipeline.modules),
        "mixes": [plain(mix) for mix in pipeline.mixes],
        "notes": list(pipeline.notes),
    }


def _records(run: RunReport, model: ModelReport) -> dict[str, JSON]:
    """Return what the package has under `pytest_navigator`, with the details of failures, which it has in its log."""
    found: dict[str, Any] = details(model.results, git=run.git, complete=model.complete)
    for outcome in model.results.outcomes:
        if outcome.detail and outcome.id in found["steps"]:
            found["steps"][outcome.id]["detail"] = bounded(outcome.detail, RECORD)
    return found


def _finite(value: JSON) -> JSON:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value
