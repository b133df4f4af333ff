"""The ways in which a pipeline can run here: what the store has of its modules, loaded when it is their turn."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_navigator.api.loading import load
from pytest_navigator.errors import ConfigError
from pytest_navigator.package.query import verdict
from pytest_navigator.pipelines.loaded_graph import loaded_graph
from pytest_navigator.pipelines.profiled import BEST, EAGER
from pytest_navigator.pipelines.registry import registered
from pytest_navigator.pipelines.store import default_store
from pytest_navigator.pipelines.swapped import swapping

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from pytest_navigator.api.package import Package
    from pytest_navigator.package.query.asked import Asked
    from pytest_navigator.package.query.choice import Cell
    from pytest_navigator.pipelines.choice import Choice
    from pytest_navigator.pipelines.loaded_graph import LoadedGraph
    from pytest_navigator.pipelines.registry import Wrapped

    Candidates = Callable[[Collection[str]], list["Candidate"]]

NOTHING = "nothing is stored for the modules of this function, as their weights and code are now"


@dataclass(frozen=True)
class Candidate:
    """A way to run the pipeline that is to be measured.

    Attributes:
        name, runner, modules: as `pytest_navigator.pipelines.profiled.Way` has them.
        swapped: swaps its formats in, until the block ends.
    """

    name: str
    runner: str = ""
    modules: dict[str, str] = field(default_factory=dict)
    swapped: Callable[[], AbstractContextManager[object]] = nullcontext


@dataclass(frozen=True)
class Stored:
    """A graph of a module, as the store has it."""

    wrapped: Wrapped
    choice: Choice
    package: Package

    def cells(self, asked: Asked) -> list[Cell]:
        """Return what has passed the checks, of what is asked for."""
        results = self.package.results
        files = [v for v in results.suite.variants if v.file]
        cells = [(v.key, runner) for v in files for runner in v.runners if verdict.passed(results, v.key, runner)]
        return [cell for cell in cells if asked.takes(results, cell)]


@contextmanager
def candidates(asked: Asked) -> Iterator[Candidates]:
    """Give what finds the ways in which a pipeline can run: as it is, with each format of its modules, the chosen mix.

    It is told which modules the pipeline calls: a format of another one changes nothing. What `load_optimized` has put
    in the places of modules is not called until the block ends.
    """
    with ExitStack() as stack:
        for wrapped in registered():
            if wrapped.replaced:
                stack.enter_context(wrapped.standing_in(wrapped.original))
        yield lambda called: list(_candidates(called, list(_stored(stack, called)), asked))


def _stored(stack: ExitStack, called: Collection[str]) -> Iterator[Stored]:
    store = default_store()
    for wrapped in (each for each in registered() if each.name in called):
        for choice in store.choices_for(wrapped):
            if choice.package:
                yield Stored(wrapped, choice, stack.enter_context(load(store.package(choice))))


def _candidates(called: Collection[str], stored: Sequence[Stored], asked: Asked) -> Iterator[Candidate]:
    if not stored and (asked.formats is not None or asked.runtimes is not None):
        raise ConfigError(f"{NOTHING}: leave target_formats and runners out, or run nav.optimize before")
    asked.check([each.package.results for each in stored])
    eager = dict.fromkeys(called, EAGER)
    yield Candidate(EAGER, modules=eager)
    possible = [each.cells(asked) for each in stored]
    for cell in dict.fromkeys(cell for cells in possible for cell in cells):
        yield _candidate(*cell, eager, stored, [cell if cell in cells else None for cells in possible])
    chosen = [(each.choice.format, each.choice.runner) if each.choice.format else None for each in stored]
    if any(cell is not None for cell in chosen):
        yield _candidate(BEST, "", eager, stored, chosen)


def _candidate(
    name: str, runner: str, eager: Mapping[str, str], stored: Sequence[Stored], cells: Sequence[Cell | None]
) -> Candidate:
    modules = dict(eager)
    modules |= {s.choice.graph: "/".join(cell) for s, cell in zip(stored, cells, strict=True) if cell is not None}
    return Candidate(name, runner, modules, lambda: _swapped(stored, cells))


@contextmanager
def _swapped(stored: Sequence[Stored], cells: Sequence[Cell | None]) -> Iterator[None]:
    with ExitStack() as stack:
        graphs: dict[Wrapped, dict[str, LoadedGraph]] = {}
        for each, cell in zip(stored, cells, strict=True):
            if cell is not None:
                runner = stack.enter_context(each.package.get_runner(cell[0], runtime=cell[1]))
                graphs.setdefault(each.wrapped, {})[each.choice.key] = loaded_graph(each.choice, runner)
        stack.enter_context(swapping(graphs, strict=True))
        yield
