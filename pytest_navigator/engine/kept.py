"""Runners that stay loaded from one step to the next.

Of live models those that compile: a compiler keeps what it compiles with the object that is called, and would compile
another object anew. They go when the model's fixture lets go of it. Of artifacts the one that is measured, at all of
its batch sizes. Only those are kept that were used last.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_navigator.runners.base import Runner

    Cell = tuple[str, str, str]

MOST = 2


@dataclass
class KeptRunners:
    """Those of one process, by suite, variant and runner; the one that was used last is at the end.

    Attributes:
        most: how many there are at most.
    """

    most: int = MOST
    _loaded: dict[Cell, Runner] = field(default_factory=dict)

    @contextmanager
    def one(self, cell: Cell, load: Callable[[], Runner], fits: Callable[[Runner], bool]) -> Iterator[Runner]:
        """Give the runner of a cell, loaded, and keep it unless something is raised meanwhile.

        Args:
            load: makes and loads another one; fits: whether the one that is kept will do.
        """
        runner = self._taken(cell, fits) or load()
        try:
            yield runner
            runner.rest()
        except BaseException:
            runner.deactivate()
            raise
        self._loaded[cell] = runner
        while len(self._loaded) > self.most:
            self._loaded.pop(next(iter(self._loaded))).deactivate()

    def clear(self) -> None:
        """Free all of them."""
        while self._loaded:
            self._loaded.popitem()[1].deactivate()

    def _taken(self, cell: Cell, fits: Callable[[Runner], bool]) -> Runner | None:
        """Take out what is kept for a cell; one that does not fit is freed."""
        runner = self._loaded.pop(cell, None)
        if runner is None or fits(runner):
            return runner
        runner.deactivate()
        return None
