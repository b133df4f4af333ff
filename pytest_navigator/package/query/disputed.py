"""Which winners of the summary are not certain: the order is within the disturbance of what was measured (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.gates.ranking import rivals
from pytest_navigator.package.query.strategies import SUMMARY, MaxThroughputStrategy, best_of, candidates

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_navigator.package.query.results import Results
    from pytest_navigator.package.query.strategies import Figure
    from pytest_navigator.profiling.quiet import Span


def disputed(results: Results, *, files_only: bool = False) -> dict[str, list[Figure]]:
    """Return name of a strategy -> what it chooses, and those that may be better; of those that are certain nothing.

    Args:
        files_only: leave out the live model.
    """
    figures = candidates(results, include_source=not files_only)
    winners = best_of(figures).winners
    return {name: [won, *others] for name, won in winners if (others := _contenders(figures, name, won))}


def _contenders(figures: Sequence[Figure], strategy: str, chosen: Figure) -> list[Figure]:
    """Return those that may be better than what a strategy of the summary chose, each runner once."""
    whole = strategy == MaxThroughputStrategy().name
    rule = next(each for each in SUMMARY.values() if each.name == strategy)
    others = [figure for figure in figures if figure.place != chosen.place]
    # Of a runner's batch sizes each may be it, not only the one that is its best as far as was seen.
    places: dict[str, list[Figure]] = {}
    for i in rivals(_cost(chosen, whole=whole), [_cost(each, whole=whole) for each in others]):
        places.setdefault(others[i].place, []).append(others[i])
    return [rule.choose(own) for own in places.values()]


def _cost(figure: Figure, *, whole: bool) -> Span:
    return figure.span.scaled(1 / (figure.batch_size or 1)) if whole else figure.span
