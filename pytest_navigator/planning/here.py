"""What a machine without some kind of device leaves out of a suite, unless somebody has named it (pure)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from pytest_navigator.core.kinds import AUTO, TITLES
from pytest_navigator.core.variants import covers
from pytest_navigator.planning.choosing import format_names
from pytest_navigator.planning.matrix import with_line

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from pytest_navigator.configuration.settings import Settings
    from pytest_navigator.core.variants import Variant
    from pytest_navigator.formats.registry import Registry
    from pytest_navigator.planning.matrix import Matrix

    Cell = tuple[str, str]
    """Key of a variant and name of its runner."""


class Here(NamedTuple):
    """What a run knows of its machine before anything runs.

    Attributes:
        lacking: kinds of devices that are not there ("cuda").
        pointed: the parameters in the ids of the items that the arguments name ("onnx-cuda-batch1").
    """

    lacking: tuple[str, ...] = ()
    pointed: tuple[str, ...] = ()

    def points_at(self, name: str) -> bool:
        """Whether somebody has named this format or cell in the id of an item."""
        return any(f"-{name}-" in f"-{each}-" for each in self.pointed)


def on_this_machine(
    matrix: Matrix,
    here: Callable[[], Here],
    settings: Settings,
    registry: Registry,
    unasked: Collection[str] = frozenset(),
) -> Matrix:
    """Leave out what this machine cannot run, unless somebody has said on which devices to run.

    Args:
        here: asked only where it matters, since finding devices takes time.
        unasked: names of formats in the settings that nobody has asked for by name.
    """
    if settings.device != AUTO or all(runner.device == "cpu" for runner in matrix.runners.values()):
        return matrix
    return at_home(matrix, here(), settings, registry, unasked)


def at_home(
    matrix: Matrix, here: Here, settings: Settings, registry: Registry, unasked: Collection[str] = frozenset()
) -> Matrix:
    """Leave out what only devices run that this machine does not have.

    What somebody has named stays, and says itself why it cannot run: a runner, a runtime, a cell, or a format with
    all of its runners if none of them can run here. The source stays too.

    Args:
        unasked: names of formats in the settings that nobody has asked for by name.
    """

    if not here.lacking:
        return matrix
    cells = _cells(matrix, here, settings, _asked(matrix, here, settings, registry, unasked))
    gone = {key for key, _ in matrix.cells} - {key for key, _ in cells}
    variants = with_line(matrix.variants, {matrix.framework, *set(matrix.variants).difference(gone, matrix.implied)})
    limited = replace(
        matrix,
        variants=variants,
        runners={name: runner for name, runner in matrix.runners.items() if any(name == r for _, r in cells)},
        cells=tuple(cell for cell in cells if cell[0] in variants),
        named=tuple(key for key in matrix.named if key in variants),
        implied=tuple(key for key in matrix.implied if key in variants),
    )
    if settings.require:
        from pytest_navigator.planning.required import required_of

        limited = replace(limited, required=required_of(limited, settings.require))
    left_out = len(matrix.steps()) - len(limited.steps())
    return replace(limited, elsewhere=dict.fromkeys(here.lacking, left_out) if left_out else {})


def _asked(
    matrix: Matrix, here: Here, settings: Settings, registry: Registry, unasked: Collection[str]
) -> Collection[str]:
    """Return the keys of the variants that somebody named, and of those that come with the source."""
    formats = [name for name in format_names(settings, registry) if name not in settings.grouped.union(unasked)]
    names = [*formats, *settings.require, *settings.config.xfail]

    def asked(variant: Variant) -> bool:
        by_precision = variant.parameters.get("precision") in (settings.precisions or ())
        return by_precision or here.points_at(variant.key) or any(covers(name, variant) for name in names)

    return {matrix.framework, *matrix.provided, *(v.key for v in matrix.variants.values() if asked(v))}


def _cells(matrix: Matrix, here: Here, settings: Settings, asked: Collection[str]) -> tuple[Cell, ...]:
    """Return the cells that this machine runs, those that somebody named, and all of what is asked for in vain."""
    names = {*(settings.runtimes or ()), *settings.require, *settings.config.xfail}

    def runs(cell: Cell) -> bool:
        return matrix.runners[cell[1]].device not in here.lacking

    def named(cell: Cell) -> bool:
        key, runner = cell
        own = matrix.cell_id(key, runner)
        return not {own, runner, matrix.runners[runner].runtime}.isdisjoint(names) or here.points_at(own)

    found = {key for key, runner in matrix.cells if runs((key, runner))}
    return tuple(
        cell for cell in matrix.cells if runs(cell) or named(cell) or (cell[0] in asked and cell[0] not in found)
    )


def elsewhere(counts: Mapping[str, int]) -> list[str]:
    """Return a line for each kind of device that is not here: how many steps were left out, and how to see them."""
    needed = {kind: f"{steps(count)} {'needs' if count == 1 else 'need'}" for kind, count in counts.items()}
    return [f"not here: {n} {TITLES.get(kind, kind)} (--nav-device=all lists them)" for kind, n in needed.items()]


def steps(count: int) -> str:
    """Return how many steps, in words."""
    return f"{count} {'step' if count == 1 else 'steps'}"
