"""What compilers of live models took in this run: a line for each cell (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.comparison.facts import CorrectnessFacts
from pytest_navigator.core.execution import Compilation
from pytest_navigator.core.facts import ProfileFacts, facts_of

if TYPE_CHECKING:
    from pytest_navigator.core.records import Outcome
    from pytest_navigator.package.query.results import Results


def compilations(results: Results) -> list[str]:
    """Return how many graphs were compiled in how many s, over all steps of a cell."""
    found: dict[str, Compilation] = {}
    for outcome in results.outcomes:
        if (own := _of(outcome)) is not None:
            cell = f"{outcome.key}-{results.suite.runners[outcome.runner].runtime}"
            found[cell] = found.get(cell, Compilation()) + own
    return [f"compiled: {cell}: {total.text}" for cell, total in found.items() if total.text]


def _of(outcome: Outcome) -> Compilation | None:
    kinds = {"correctness": CorrectnessFacts, "profile": ProfileFacts}
    kind = kinds.get(outcome.step)
    return facts_of(outcome, kind).compilation if kind else None
