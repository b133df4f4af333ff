"""The one run of a pipeline in which its modules are recorded; their source steps keep what came of it for all."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_navigator.core.pipeline_facts import STEP
from pytest_navigator.core.plain import load, save
from pytest_navigator.core.steps import Step
from pytest_navigator.engine import engine
from pytest_navigator.engine.live import Live
from pytest_navigator.errors import NavigatorError, SourceError
from pytest_navigator.isolation.live_section import live_section
from pytest_navigator.pipelines.pipeline_record import MODULES
from pytest_navigator.pipelines.recorded import GraphRecord
from pytest_navigator.plugin.pipelines import pipeline_at

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from pytest_navigator.pipelines.graphs import Graph
    from pytest_navigator.plugin.pipelines import CollectedPipeline
    from pytest_navigator.plugin.places import PipelinePlace
    from pytest_navigator.plugin.run import CollectedSuite, Run

RECORDED = "recorded.json"
NO_BATCH = (
    "the inputs of {name} have no batch axis: their sizes do not follow the batch sizes of nav_dataloader; write "
    "nav_modules = {{{name!r}: NavConfig(batch_dim=None)}}"
)


def have_recorded(run: Run, request: pytest.FixtureRequest, place: PipelinePlace) -> CollectedPipeline:
    """Run a pipeline and the source steps of all its modules, unless a process of this run has."""
    whole = pipeline_at(place, run)
    marker = whole.folder.path / RECORDED
    if not marker.exists():
        with whole.folder.lock(RECORDED):
            if not marker.exists():
                for name in whole.suites:
                    _have_source(run, request, whole, name)
                save(marker, {"run": run.id})
    return whole


def graph_record(whole: CollectedPipeline, name: str) -> GraphRecord | None:
    """Return what is known of the calls of a module, None if none was recorded."""
    path = _record(whole, name)
    return load(path, GraphRecord) if path.exists() else None


def _have_source(run: Run, request: pytest.FixtureRequest, whole: CollectedPipeline, name: str) -> None:
    suite, path = whole.suites[name], _record(whole, name)
    provider: Any = run.provider(request, suite)
    try:
        provider.get_model()  # what builds it has no limit, as with any model
        with live_section(whole.folder.log(STEP), suite.settings.timeout):
            graph = provider.graph()
        suite = _with_batch(suite, graph)
        save(path, provider.record(graph))
    except NavigatorError as error:
        provider = _Refused(error)  # the step itself says it
    engine.outcome(run, suite, Step("source"), Live(run, suite, provider))


class _Refused:
    """A module of which nothing can be checked."""

    says_framework = ""

    def __init__(self, problem: NavigatorError) -> None:
        self._problem = problem

    def get_model(self) -> object:
        raise self._problem

    def get_loader(self) -> object:
        raise self._problem


def _with_batch(suite: CollectedSuite, graph: Graph) -> CollectedSuite:
    """Return a suite that knows which inputs of its module have no batch axis.

    Raises:
        SourceError: none has one, and the configuration says that there is one.
    """
    config = suite.settings.config
    if config.batch_dim is None:
        return suite
    if graph.rows is None:
        if len({call.batch_size for call in graph.calls}) > 1 and all(call.batch_size for call in graph.calls):
            raise SourceError(NO_BATCH.format(name=graph.wrapped.name))
        return suite
    unbatched = tuple(dict.fromkeys((*config.unbatched, *graph.unbatched)))
    return replace(suite, settings=replace(suite.settings, config=replace(config, unbatched=unbatched)))


def _record(whole: CollectedPipeline, name: str) -> Path:
    return whole.folder.path / MODULES / f"{name}.json"
