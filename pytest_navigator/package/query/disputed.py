"""Which winners of the summary are not certain: the order is within the disturbance of what was measured (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.gates.ranking import rivals
from pytest_navigator.package.query.strategies import SUMMARY, MaxThroughputStrategy, best, candidates

if TYPE_CHECKING:
    from pytest_navigator.package.query.results import Results
    from pytest_navigator.package.query.strategies import Figure
    from pytest_navigator.profiling.quiet import Span


def disputed(results: Results) -> dict[str, list[Figure]]:
    """Return name of a strategy -> what it chooses, and those that may be better; of those that are certain nothing."""
    winners = best(results).winners
    return {name: [won, *others] for name, won in winners if (others := contenders(results, name, won))}


def contenders(results: Results, strategy: str, chosen: Figure) -> list[Figure]:
    """Return those that may be better than what a strategy of the summary chose, each runner once."""
    whole = strategy == MaxThroughputStrategy().name
    rule = next(each for each in SUMMARY.values() if each.name == strategy)
    places: dict[str, list[Figure]] = {}
    for figure in candidates(results):
        places.setdefault(figure.place, []).append(figure)
    others = [rule.choose(own) for place, own in places.items() if place != chosen.place]
    found = rivals(_cost(chosen, whole=whole), [_cost(each, whole=whole) for each in others])
    return [others[i] for i in found]


def _cost(figure: Figure, *, whole: bool) -> Span:
    return figure.span.scaled(1 / (figure.batch_size or 1)) if whole else figure.span
