"""Budgets in the summary: each limit with what was measured (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.configuration.budgets import BOUNDS
from pytest_navigator.core.facts import facts_of
from pytest_navigator.gates.facts import DISTURBED, NODES, BudgetFacts
from pytest_navigator.reporting.summary_figures import CAVEAT
from pytest_navigator.text import columns

if TYPE_CHECKING:
    from pytest_navigator.core.records import Outcome
    from pytest_navigator.package.query.results import Results

HEADINGS = ("budget", "of", "measured", "")


def budgets(results: Results) -> list[str]:
    """Return a row for each limit that was judged, and a line for each that was not, with the reason."""
    rows = budget_rows(results)
    return [*(columns([HEADINGS, *rows]) if rows else []), *unjudged(results)]


def budget_rows(results: Results) -> list[tuple[str, ...]]:
    """Return a row for each limit that was judged, below `HEADINGS`."""
    return [_row(results, outcome) for outcome in results.outcomes if facts_of(outcome, BudgetFacts).bound]


def unjudged(results: Results) -> list[str]:
    """Return a line for each limit that was not judged, with the reason."""
    found = [o for o in results.outcomes if o.step == "budget" and not facts_of(o, BudgetFacts).bound]
    return [f"budget {_place(results, o)} {o.batch} was not judged: {o.message}" for o in found]


def _row(results: Results, outcome: Outcome) -> tuple[str, ...]:
    facts = facts_of(outcome, BudgetFacts)
    sign = BOUNDS[facts.bound].sign if facts.bound in ("speedup", "delegated") else "<" if facts.unit else "<="
    mark = CAVEAT if facts.why and facts.bound in DISTURBED else ""
    allowed = facts.text(facts.allowed) if facts.unit or facts.bound == "delegated" else round(facts.allowed)
    limit = facts.title if facts.bound == "full_offload" else f"{facts.title} {sign} {allowed}"
    where = f" ({facts.why})" if facts.why and facts.bound in (*NODES, "delegated") else ""
    return _place(results, outcome), limit, f"{facts.measured}{mark}{where}", "ok" if facts.kept else "FAILED"


def _place(results: Results, outcome: Outcome) -> str:
    return f"{outcome.key}-{results.suite.runners[outcome.runner].runtime}"
