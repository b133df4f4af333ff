"""Budgets of the settings -> the limits of each cell (pure)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_navigator.configuration.budget_text import limits_of
from pytest_navigator.configuration.budgets import BOUNDS
from pytest_navigator.configuration.settings import with_origin
from pytest_navigator.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_navigator.configuration.budgets import Limit
    from pytest_navigator.configuration.settings import Settings
    from pytest_navigator.planning.matrix import Matrix

    Cell = tuple[str, str]


def with_budgets(matrix: Matrix, settings: Settings) -> Matrix:
    """Return a suite with the limits of its cells.

    Raises:
        ConfigError: two of them contradict each other, nothing can keep or break one, or nothing measures it.
    """
    origin = settings.all["budgets"].origin
    limits = [_sized(limit, settings) for line in settings.budgets for limit in limits_of(line)]
    _check_profiled(limits, settings)
    for limit in limits:
        _check_possible(limit, matrix, origin)
    own = {cell: _own(cell, limits, matrix, origin) for cell in matrix.cells}
    return replace(
        matrix, limits={cell: found for cell, found in own.items() if found}, gates=(*matrix.gates, "budget")
    )


def unjudged(suites: Iterable[tuple[Settings, Matrix]]) -> list[str]:
    """Return a note for each name whose budget nothing of a run is held to, in any of its suites."""
    held: dict[tuple[str, str], bool] = {}
    for settings, matrix in suites:
        for name in (line.split()[0] for line in settings.budgets):
            own = any(name in _names(cell, matrix) for cell in matrix.cells)
            place = name, settings.all["budgets"].origin
            held[place] = held.get(place, False) or own
    return [
        f"note: the budget of {name!r} ({origin}) is not judged: this run leaves out what is called that"
        for (name, origin), any_held in held.items()
        if not any_held
    ]


def _names(cell: Cell, matrix: Matrix) -> tuple[str, ...]:
    """Return all that a user may call a cell."""
    key, runner = cell
    return matrix.cell_id(*cell), key, matrix.variants[key].format, runner, matrix.runners[runner].runtime


def _sized(limit: Limit, settings: Settings) -> Limit:
    """Return a limit with its batch size; None for a model without a batch axis."""
    if not limit.measured or (settings.config.batch_dim is None and limit.batch is None):
        return limit
    if settings.config.batch_dim is None:
        raise ConfigError(f"{_place(limit, settings.all['budgets'].origin)}: the model has no batch axis (batch_dim)")
    return limit._replace(batch=limit.batch or 1)


def _check_profiled(limits: Iterable[Limit], settings: Settings) -> None:
    """Find a limit of a measurement where the same place, or a stronger one, says to measure nothing."""
    said = settings.all["profile"]
    measured = [limit for limit in limits if limit.measured]
    if measured and not settings.profile and settings.all["budgets"].strength >= said.strength:
        place = _place(measured[0], settings.all["budgets"].origin)
        raise ConfigError(
            f"{place} is measured, and {with_origin(settings, 'profile')} measures nothing: leave out one"
        )


def _check_possible(limit: Limit, matrix: Matrix, origin: str) -> None:
    """Find a limit that cannot be of anything that its name means."""
    meant = [cell for cell in matrix.cells if limit.name in _names(cell, matrix)]
    if meant and not any(_fits(limit, cell, matrix) for cell in meant):
        why = {
            "size": "it runs the live model, which has no artifact",
            "memory": "it runs the live model, in the process of pytest itself, which keeps what it did before",
            "speedup": "it is the source itself, which every speed-up is measured against",
        }
        raise ConfigError(f"{_place(limit, origin)}: {why[limit.bound]}")


def _fits(limit: Limit, cell: Cell, matrix: Matrix) -> bool:
    """Whether a cell has what is limited."""
    if limit.bound == "speedup":
        return matrix.source_cell(cell[1]) != cell
    if limit.bound == "memory":
        return not matrix.runners[cell[1]].live
    return limit.bound != "size" or bool(matrix.variants[cell[0]].file)


def _own(cell: Cell, limits: Sequence[Limit], matrix: Matrix, origin: str) -> tuple[Limit, ...]:
    """Return the limits of one cell, by its different names, each once."""
    found: dict[str, Limit] = {}
    for limit in (each for each in limits if each.name in _names(cell, matrix) and _fits(each, cell, matrix)):
        other = found.setdefault(limit.id, limit)
        if other.value != limit.value:
            both = f"{other.name} {other.text} and {limit.name} {limit.text}"
            raise ConfigError(f"budgets ({origin}) contradict each other: {both} are both of {matrix.cell_id(*cell)}")
    order = list(BOUNDS)
    return tuple(sorted(found.values(), key=lambda limit: (order.index(limit.bound), limit.batch or 0)))


def _place(limit: Limit, origin: str) -> str:
    return f"budgets ({origin}): {limit.name} {limit.text}"
