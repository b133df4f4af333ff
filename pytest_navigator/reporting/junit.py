"""The figures of a step as junit's properties (pure)."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

from pytest_navigator.comparison.facts import output_reports
from pytest_navigator.core.facts import MakingFacts, ProfileFacts, facts_of
from pytest_navigator.core.pipeline_facts import STEP, facts_of_whole
from pytest_navigator.gates.facts import BudgetFacts, QuantizationFacts, RegressionFacts
from pytest_navigator.gates.rows import worse
from pytest_navigator.profiling.figures import caveat

if TYPE_CHECKING:
    from pytest_navigator.core.records import Outcome


def properties(outcome: Outcome) -> list[tuple[str, str | float]]:
    """Return the figures of an outcome for junit's `<property>`: exact builtin types, which also survive xdist."""
    found: list[tuple[str, str | float]] = [("nav_step", outcome.step)]
    found += [
        (f"nav_{n}", v) for n, v in (("format", outcome.key), ("runner", outcome.runner), ("batch", outcome.batch)) if v
    ]
    way, ran = outcome.earlier
    if way:
        found.append((f"nav_{way}", ran))
    return [*found, *_figures(outcome)]


def _figures(outcome: Outcome) -> list[tuple[str, str | float]]:
    compared = output_reports(outcome)
    found: list[tuple[str, str | float]] = [(f"nav_atol_{report.name}", report.atol) for report in compared]
    found += [(f"nav_rtol_{report.name}", report.rtol) for report in compared]
    found += [(f"nav_allowed_{report.name}", report.used) for report in compared if report.used]
    if (size := facts_of(outcome, MakingFacts).bytes) is not None and outcome.key:
        found.append(("nav_bytes", size))
    if result := facts_of(outcome, ProfileFacts).result:
        found += [(f"nav_{name}_ms", getattr(result, f"{name}_latency")) for name in ("p50", "p90", "p95", "p99")]
        found.append(("nav_throughput", result.throughput))
        measured = (("batch_size", result.batch_size), ("memory_mib", result.peak_memory))
        found += [(f"nav_{name}", value) for name, value in measured if value is not None]
        if noted := caveat(result):
            found.append(("nav_caveat", noted))
    return [*found, *_judged(outcome), *_whole(outcome)]


def _whole(outcome: Outcome) -> list[tuple[str, str | float]]:
    """Return what was found of a whole pipeline: ms of a call of it, and what ran in the place of each module."""
    if outcome.step != STEP:
        return []
    facts = facts_of_whole(outcome)
    measured = (("eager_ms", facts.eager_ms), ("ms", facts.ms), ("speed_up", facts.speed_up))
    found: list[tuple[str, str | float]] = [(f"nav_pipeline_{n}", value) for n, value in measured if value is not None]
    found += [(f"nav_module_{name}", runs) for name, runs in facts.modules.items()]
    return [*found, *((f"nav_reason_{name}", reason) for name, reason in facts.reasons.items())]


def _judged(outcome: Outcome) -> list[tuple[str, str | float]]:
    """Return what a gate found: the limit and the value of a budget, what is worse than in a baseline."""
    limit, compared = facts_of(outcome, BudgetFacts), facts_of(outcome, RegressionFacts)
    found: list[tuple[str, str | float]] = []
    if limit.bound:
        found += [("nav_budget", limit.bound), ("nav_budget_allowed", limit.allowed)]
        found += [("nav_budget_measured", limit.value)] if limit.value is not None else []
    if compared.baseline:
        found += [("nav_baseline", compared.baseline), ("nav_worse", len(worse(compared.rows)))]
    if compared.speed and compared.speed.ratio is not None:
        found.append(("nav_time_ratio", compared.speed.ratio))
    return [*found, *_quantized(facts_of(outcome, QuantizationFacts))]


def _quantized(facts: QuantizationFacts) -> list[tuple[str, str | float]]:
    if not facts.reference:
        return []
    figures = {
        "nav_snr_db": facts.snr if facts.snr is not None and isfinite(facts.snr) else None,
        "nav_cosine": facts.cosine,
        "nav_time_ratio": facts.speed.ratio if facts.speed else None,
        "nav_size_ratio": facts.size_ratio,
    }
    return [("nav_reference", facts.reference), *((n, v) for n, v in figures.items() if v is not None)]
