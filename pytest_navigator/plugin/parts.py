"""What is in the place of each module of a pipeline: a format, loaded in the child or here, or the module as it is."""

from __future__ import annotations

import warnings
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from pytest_navigator.core.pipeline_facts import EAGER
from pytest_navigator.core.steps import KINDS, Step
from pytest_navigator.engine.proxies import RunnerProxy
from pytest_navigator.package.query.results import read_results
from pytest_navigator.package.running import artifacts
from pytest_navigator.pipelines.choosing import verdict_of
from pytest_navigator.pipelines.settling import Gain
from pytest_navigator.pipelines.swapped import swapping
from pytest_navigator.plugin.item import SuiteItem
from pytest_navigator.plugin.pipelines import BEST
from pytest_navigator.plugin.recording import graph_record, have_recorded

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager

    import pytest

    from pytest_navigator.pipelines.recorded import GraphRecord
    from pytest_navigator.pipelines.registry import Forward
    from pytest_navigator.pipelines.swapped import Swapped
    from pytest_navigator.plugin.live_pipeline import LivePipeline
    from pytest_navigator.plugin.pipelines import CollectedPipeline, Mix
    from pytest_navigator.plugin.run import Run


@dataclass(frozen=True)
class Part:
    """What is in the place of one module.

    Attributes:
        key, runner: format and runner; "" where the module stays as it is.
        reason: why it stays, or what the choice rests on.
        figures: ms of a call of the module as it is, and with the format; None where it was not measured.
        graph: of the calls that go to the format; None where there are none.
    """

    item: SuiteItem
    key: str = ""
    runner: str = ""
    reason: str = ""
    graph: GraphRecord | None = None
    figures: tuple[float | None, float | None] = (None, None)

    @property
    def title(self) -> str:
        """What runs, as an id writes it."""
        return self.item.suite.matrix.cell_id(self.key, self.runner) if self.key else EAGER

    @property
    def precision(self) -> str:
        """What the format computes in, if that is its own; else ""."""
        return str(self.item.suite.matrix.variants[self.key].parameters.get("precision", "")) if self.key else ""

    @property
    def kept(self) -> Part:
        """The module as it is."""
        return Part(self.item)

    def gain(self, name: str) -> Gain:
        """Return what the format makes of the module of this name."""
        return Gain(name, *self.figures, self.graph.calls if self.graph else 0)


Parts = dict[str, Part]


def parts_of(whole: CollectedPipeline, mix: Mix, run: Run, request: pytest.FixtureRequest) -> Parts:
    """Return what is in the place of each module; what must be known for that runs first."""
    have_recorded(run, request, whole.place)
    choose = _best if mix == BEST else partial(_cell, key=mix[0], runtime=mix[1])
    return {
        name: choose(SuiteItem(request, run, suite), graph_record(whole, name)) for name, suite in whole.suites.items()
    }


def _cell(item: SuiteItem, graph: GraphRecord | None, key: str, runtime: str) -> Part:
    """Return one format in one runtime, if it is right for the module."""
    matrix = item.suite.matrix
    runner = next((r for k, r in matrix.verifiable if k == key and matrix.runners[r].runtime == runtime), "")
    if not runner:
        return Part(item, reason="its configuration leaves the format out")
    found = item.outcome(Step("correctness", key, runner))
    if not found.passed or graph is None:
        return Part(item, reason=f"{found.status.value}: {found.message}")
    return Part(item, key, runner, graph=graph)


def _best(item: SuiteItem, graph: GraphRecord | None) -> Part:
    """Return the format that is right and faster than the module itself, if there is one."""
    found = item.outcome(Step("source"))
    if not found.passed or graph is None:
        return Part(item, reason=f"{found.status.value}: {found.message}")
    for step in item.suite.matrix.steps():
        if not KINDS[step.step].gate:
            item.outcome(step)
    verdict = verdict_of(read_results(item.suite.folder.path))
    figures = verdict.eager_ms, verdict.chosen_ms
    return Part(item, verdict.format, verdict.runner, verdict.reason, graph, figures)


@contextmanager
def swapping_parts(live: LivePipeline, parts: Parts, run: Mapping[str, Forward]) -> Iterator[Mapping[str, Swapped]]:
    """Let modules run what was loaded for them, until the block ends; what a format raises goes through."""
    graphs = {live.module(n): graph.loaded(run[n]) for n, part in parts.items() if n in run and (graph := part.graph)}
    with warnings.catch_warnings(), swapping(graphs, strict=True) as swapped:
        warnings.filterwarnings("ignore", message=".* ran eagerly: ", category=UserWarning)
        yield swapped


class _Held(RunnerProxy):
    """A runner of which every call is one of a pipeline, which waits for nobody between them."""

    def _machine(self) -> AbstractContextManager[None]:
        return nullcontext()


def in_child(part: Part) -> RunnerProxy:
    """Return the format in the child."""
    return _Held(part.item.run, part.item.suite, part.item.live, part.key, part.runner)


def in_process(part: Part) -> Any:
    """Return the format in this process, as a package would give it."""
    folder = part.item.suite.folder.path
    results = read_results(folder)
    variant, kind = results.variant(part.key), artifacts.runner_class(results.suite.runners[part.runner])
    return artifacts.runner(kind, folder / variant.key / variant.file, results, variant, keep=None)
