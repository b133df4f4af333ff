"""The throughput step: which batch sizes are worth measuring, and whether the source's numbers come at them too."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_navigator.comparison.correctness import Comparison, failure_line, table
from pytest_navigator.configuration.settings import search_of
from pytest_navigator.core.digests import digest_of
from pytest_navigator.core.facts import ThroughputFacts, as_data
from pytest_navigator.core.plain import plain, structured
from pytest_navigator.core.records import SizeFigure
from pytest_navigator.engine import gpu, isolated
from pytest_navigator.engine.active import live_runner, subject
from pytest_navigator.engine.content import content_of
from pytest_navigator.engine.context import Result
from pytest_navigator.engine.correctness import rules_of_step
from pytest_navigator.engine.made_sizes import made_sizes
from pytest_navigator.engine.step_code import StepCode
from pytest_navigator.engine.timing_sample import timed_batch
from pytest_navigator.engine.vouching import known_rules
from pytest_navigator.errors import StepFailed
from pytest_navigator.isolation.breakdowns import ENDS
from pytest_navigator.profiling.search import FAILURE, chosen
from pytest_navigator.samples.signatures import row

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_navigator.comparison.tolerances import Rule
    from pytest_navigator.configuration.batch_search import Search
    from pytest_navigator.core.plain import JSON
    from pytest_navigator.core.records import Case
    from pytest_navigator.engine.context import Context

UNCUT = "the inputs cannot be cut into rows of a batch: batchbest times the largest sample as it is"
DEPENDENT = "not compared at larger batches: the rows of a batch depend on each other in the source itself"
UNKNOWN = "not compared at larger batches: the loader's samples do not tell whether rows depend on each other"
NO_ROWS = "not compared at larger batches: no output has the batch axis"


def run(context: Context) -> Result:
    """Search, and compare at the sizes that were found; how a search ends is recorded, never judged.

    Raises:
        StepFailed: an output is outside of its tolerance at one of the sizes; the first size cannot be run.
    """
    context.require(*context.runner.requires)
    gpu.require_same(context)
    if context.folder.source.max_batch_size is None:
        return Result(as_data(ThroughputFacts()), message=UNCUT)
    rules = _rules(context)
    case, why = _compared(context, rules)
    found = _searched(context, case, rules)
    data = as_data(found)
    if any(report.problem for report in found.outputs):
        raise StepFailed(failure_line(found.outputs), table(found.outputs), "mismatch", data)
    above = found.best is not None and found.best > 1
    notes = [f"the search ended: {found.reason}" if found.ended == FAILURE else "", why if above else ""]
    return Result(data, message="; ".join(filter(None, notes)))


def plan_of(context: Context) -> Search:
    """Return what the suite searches."""
    found = search_of(context.suite.settings)
    assert found is not None, context.step.id
    return found


def _sizes(context: Context) -> list[int] | None:
    """Return the only batch sizes of a model, or an artifact, that takes no others; None where it takes any."""
    if made := made_sizes(context):
        return list(made)
    signature, fixed = context.folder.signature, context.folder.source.fixed_batch
    dim = signature.batch_dim or 0
    constant = {spec.shape[dim] for spec in signature.inputs if spec.batched} - {-1}
    return [fixed] if fixed is not None else sorted(constant)[:1] or None


def _rules(context: Context) -> dict[str, Rule]:
    """Return the rules of the outputs that have a row for each row of the inputs."""
    rows = {spec.name for spec in context.folder.signature.outputs if spec.batched}
    return {name: rule for name, rule in known_rules(context, rules_of_step(context)).items() if name in rows}


def _compared(context: Context, rules: Mapping[str, Rule]) -> tuple[Case | None, str]:
    """Return the case whose rows, again and again, tell what larger batches give; None and why if none does."""
    source = context.folder.source
    own = [case for case in source.cases if case.kind == "batch" and case.batch_size]
    case = next((case for case in own if case.input == source.profiling_batch), next(iter(own), None))
    if not rules:
        return None, NO_ROWS
    if case is None:
        return None, UNKNOWN
    independent = _rows_are_independent(context, case, rules)
    return (case, "") if independent else (None, UNKNOWN if independent is None else DEPENDENT)


def _rows_are_independent(context: Context, batch: Case, rules: Mapping[str, Rule]) -> bool | None:
    """Whether the source gave for a row alone what it gave for it in its batch; None where it never had a row alone."""
    from pytest_navigator.samples.cases import read_output

    folder, signature = context.folder, context.folder.signature
    alone = next((c for c in folder.source.cases if c.kind == "row" and c.sample == batch.sample), None)
    if alone is None:
        return folder.source.rows_repeat if batch.batch_size == 1 else None
    whole = row(read_output(folder.path, batch, signature), signature.outputs, signature.batch_dim)
    comparison = Comparison(rules)
    outputs = (whole, read_output(folder.path, alone, signature))
    comparison.add(batch.sample, "row", *({name: each[name] for name in rules} for each in outputs))
    return not failure_line(comparison.reports())


def _searched(context: Context, case: Case | None, rules: dict[str, Rule]) -> ThroughputFacts:
    folder = context.folder.path / ".outputs" / context.step.id
    folder.mkdir(parents=True, exist_ok=True)
    progress = folder / "sizes.jsonl"
    progress.unlink(missing_ok=True)
    try:
        return _run(context, case, rules, progress)
    except StepFailed as error:
        if not ENDS.fullmatch(error.kind) or not progress.exists():
            raise
        return _until_the_end(context, progress, error)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(context: Context, case: Case | None, rules: dict[str, Rule], progress: Path) -> ThroughputFacts:
    sample, plan, sizes = timed_batch(context.folder), plan_of(context), _sizes(context)
    if not context.runner.live:
        found = context.isolated(
            isolated.search,
            **subject(context),
            sample=sample,
            plan=plan,
            sizes=sizes,
            case=case,
            rules=rules,
            progress=progress,
        )
        return structured(found, ThroughputFacts)
    from pytest_navigator.engine.checks import search

    with live_runner(context) as runner:
        return search(runner, context.folder.path, sample, plan, sizes, case, rules, progress)


def _until_the_end(context: Context, progress: Path, error: StepFailed) -> ThroughputFacts:
    """Return what a search found before its process ended; at the sizes of it nothing is compared."""
    lines = progress.read_text(encoding="utf-8").splitlines()
    sizes = tuple(structured(json.loads(line), SizeFigure) for line in lines)
    knee, best = chosen(sizes, plan_of(context).latency_budget)
    reason = f"after batch {sizes[-1].batch_size}: {error.message}"
    return replace(ThroughputFacts(sizes, knee, best), ended=FAILURE, reason=reason)


def _searching(context: Context) -> dict[str, JSON]:
    """Return what a search, and the comparison at its sizes, depend on."""
    rules = _rules(context)
    case, _ = _compared(context, rules)
    files = [digest_of(context.folder.path / name) for name in (case.input, case.output)] if case else []
    return {
        "artifact": content_of(context, context.variant),
        "sample": digest_of(context.folder.path / timed_batch(context.folder)),
        "search": [plain(plan_of(context)), _sizes(context)],
        "case": [plain(case), files],
        "rules": plain(rules),
    }


STEP = StepCode(run, _searching)
