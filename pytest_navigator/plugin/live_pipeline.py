"""The user's `nav_pipeline` in this process: built once, recorded once, its modules given to the steps as models."""

from __future__ import annotations

from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest

from pytest_navigator.core.described import described
from pytest_navigator.errors import NavigatorError, SourceError, unknown_text
from pytest_navigator.plugin.fixtures import recordable
from pytest_navigator.plugin.places import LOADER, PIPELINE, PipelinePlace

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_navigator.configuration.config import NavConfig
    from pytest_navigator.pipelines.graphs import Graph
    from pytest_navigator.pipelines.recorded import GraphRecord, RecordedModules
    from pytest_navigator.pipelines.registry import Wrapped
    from pytest_navigator.pipelines.samples import PipelineSample
    from pytest_navigator.plugin.fixtures import Fixtures

LIVE = pytest.StashKey[dict[str, "LivePipeline"]]()  # By the node of their place

UNCALLABLE = (
    "{} returned {}, which cannot be called: return the pipeline, or (function, modules) with what runs it and where "
    "its modules are"
)
NO_LOADER_HERE = "there is no nav_dataloader beside {}; write a fixture that returns a list of (batch_size, sample)"


class LivePipeline:
    """What the fixtures of one place gave in this process.

    Attributes:
        func: what runs the whole pipeline.
    """

    def __init__(self, fixtures: Fixtures, place: PipelinePlace) -> None:
        self.place = place
        self._holder, self.func = _taken(fixtures.get_pipeline(), place.nodeid)
        self._loader = fixtures.get_loader()

    @cached_property
    def samples(self) -> list[PipelineSample]:
        """What the pipeline is called with.

        Raises:
            SourceError: `nav_dataloader` gives nothing that can be one, or raised.
        """
        from pytest_navigator.isolation.causes import error_line
        from pytest_navigator.pipelines.observing import MOST_SAMPLES
        from pytest_navigator.pipelines.samples import pipeline_samples
        from pytest_navigator.samples.reading import NO_LOADER

        if self._loader is NO_LOADER:
            raise SourceError(NO_LOADER_HERE.format(self.place.nodeid))
        try:
            with recordable(LOADER):
                found = list(islice(pipeline_samples(self._loader, named=LOADER), MOST_SAMPLES))
        except NavigatorError:
            raise
        except Exception as error:
            raise SourceError(f"{LOADER} raised {error_line(error)}") from error
        if not found:
            raise SourceError(f"{LOADER} beside {self.place.nodeid} has no samples")
        return found

    @cached_property
    def modules(self) -> dict[str, Wrapped | str]:
        """Name -> the module, or why there is none."""
        return {name: self._found(name) for name in self.place.modules}

    def module(self, name: str) -> Wrapped:
        """Return a module by its name.

        Raises:
            SourceError: the pipeline has no such module, or it is none that can have formats.
        """
        found = self.modules[name]
        if isinstance(found, str):
            raise SourceError(found)
        return found

    @cached_property
    def recorded(self) -> RecordedModules:
        """What was seen of the modules while the pipeline ran on its samples.

        Raises:
            NavigatorError: it does not run, or calls none of them.
        """
        from pytest_navigator.pipelines.recorded import record

        modules = [module for module in self.modules.values() if not isinstance(module, str)]
        with recordable(PIPELINE):
            return record(self.func, self.samples, modules)

    def _found(self, name: str) -> Wrapped | str:
        from pytest_navigator.pipelines.parts import at, parts_of
        from pytest_navigator.pipelines.refusals import not_wrappable
        from pytest_navigator.pipelines.registry import ModuleOptions, Wrapped, registered, wrapping

        known = next((each for each in registered() if each.name == name), None)
        module = known.module if known else at(self._holder, name)
        if module is None:
            return f"{self.place.nodeid}: {unknown_text('module', name, parts_of(self._holder))}"
        if problem := not_wrappable(module):
            return f"{name} of {self.place.nodeid}: {problem}"
        known = known or wrapping(module)
        return Wrapped(name, module, known.options if known else ModuleOptions())


class ModuleFixtures:
    """A module of a pipeline as a model, with its recorded calls as the loader."""

    says_framework = "nav_modules is for torch.nn.Module, not {}"

    def __init__(self, fixtures: Fixtures, name: str, config: NavConfig) -> None:
        self._fixtures, self._name, self._config = fixtures, name, config

    def get_model(self) -> object:
        """Return the module."""
        return self._live.module(self._name).module

    def get_loader(self) -> object:
        """Return the calls of its most frequent structure."""
        return [each.call for each in self.graph().calls]

    def graph(self) -> Graph:
        """Return that structure.

        Raises:
            NavigatorError: there is no such module, it was never called, or no format of it can be made.
        """
        names = self._config.input_names or None
        return self._live.recorded.graph(self._live.module(self._name), names)

    def record(self, graph: Graph) -> GraphRecord:
        """Return what is kept of it."""
        return self._live.recorded.record(graph)

    @property
    def _live(self) -> LivePipeline:
        return live_pipeline(self._fixtures)


def live_pipeline(fixtures: Fixtures) -> LivePipeline:
    """Return the pipeline of a place; it is built when this process needs it first.

    Raises:
        SourceError: what builds it raised, or gave none.
    """
    known = fixtures.request.config.stash.setdefault(LIVE, {})
    place = fixtures.place
    assert isinstance(place, PipelinePlace)
    if place.nodeid not in known:
        known[place.nodeid] = LivePipeline(fixtures, place)
    return known[place.nodeid]


def _taken(value: object, nodeid: str) -> tuple[object, Callable[..., Any]]:
    """Return what the modules are looked for in, and what runs the pipeline.

    Raises:
        SourceError: it cannot be called.
    """
    func, holder = value if isinstance(value, tuple) and len(value) == 2 else (value, value)
    if not callable(func):
        raise SourceError(UNCALLABLE.format(nodeid, described(func)))
    return holder, func
