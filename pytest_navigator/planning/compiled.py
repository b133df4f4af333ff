"""Runners that compile the live model: minutes for what no package holds, so that some suites only have named ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pytest_navigator.configuration.settings import Settings
    from pytest_navigator.planning.matrix import Matrix
    from pytest_navigator.runners.spec import RunnerSpec


def compiling(runners: Iterable[RunnerSpec]) -> frozenset[str]:
    """Return the names of those that compile."""
    return frozenset(each.name for each in runners if each.live and each.runtime.startswith("compile"))


def only_by_name(
    matrix: Matrix, runners: frozenset[str], settings: Settings, points_at: Callable[[str], bool]
) -> Matrix:
    """Leave runners out that nobody has named: in the runtimes, what is required or has a budget, the id of an item.

    Args:
        points_at: whether the id of an item names this cell.
    """
    if settings.runtimes:
        return matrix
    said = {*settings.require, *settings.config.xfail}
    cells = {matrix.cell_id(*cell): cell for cell in matrix.cells if cell[1] in runners}
    named = {
        runner
        for own, (key, runner) in cells.items()
        if not {own, runner, matrix.runners[runner].runtime}.isdisjoint(said)
        or points_at(own)
        or (key, runner) in matrix.limits
    }
    return matrix.without(runners - named)
