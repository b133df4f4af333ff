"""One process of a run of pytest: what the steps have of it, and the suites that are met while tests are collected."""

from __future__ import annotations

import os
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_navigator.core.digests import text_digest
from pytest_navigator.core.expected import FILE, OFF, UPDATE
from pytest_navigator.engine.host import Host
from pytest_navigator.engine.suite import Suite
from pytest_navigator.errors import ConfigError
from pytest_navigator.formats.registry import Registry, built
from pytest_navigator.planning import building
from pytest_navigator.planning.here import Here, on_this_machine
from pytest_navigator.plugin.collection import pointed_at
from pytest_navigator.plugin.detection import framework_of
from pytest_navigator.plugin.fixtures import Fixtures, recordable
from pytest_navigator.plugin.option_values import suite_settings
from pytest_navigator.plugin.options import NEEDS_MODEL
from pytest_navigator.plugin.places import MODEL, PipelinePlace, Siblings, objects
from pytest_navigator.plugin.termination import Termination

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from pytest_navigator.configuration.config import NavConfig
    from pytest_navigator.configuration.run_options import RunOptions
    from pytest_navigator.configuration.settings import Settings
    from pytest_navigator.engine.live import Provider
    from pytest_navigator.engine.recorded import RecordedBaseline
    from pytest_navigator.formats.base import Format
    from pytest_navigator.planning.matrix import Matrix
    from pytest_navigator.plugin.expected import NamedFile
    from pytest_navigator.plugin.named import NamedModels
    from pytest_navigator.plugin.places import Place

RUN = pytest.StashKey["Run"]()
LACKING = "nav_lacking"  # What an xdist worker is told of `Run.lacking`, so that all of them collect the same


def registry_of(config: pytest.Config) -> Registry:
    """Ask the plugins; pytest calls the built-in hooks, which are the last, first.

    Raises:
        ConfigError: as `built`.
    """
    asked = config.hook
    return built(
        reversed(asked.pytest_nav_formats()),
        reversed(asked.pytest_nav_runners()),
        reversed(asked.pytest_nav_frameworks()),
    )


@dataclass(frozen=True, kw_only=True)
class CollectedSuite(Suite):
    """The generated tests of one `nav_model`, of one parameter of it.

    Attributes:
        parameters: the model's own, by fixture name; empty for a model without any.
        model_id: those parameters as the items' ids write them.
    """

    place: Place
    model_id: str
    parameters: dict[str, Any]


@dataclass
class Run(Host):
    """One process of one run of pytest.

    Attributes:
        suites: by the node of their place, with the model's parameters in brackets.
        selected: a suite -> ids of the steps that tests of this run report.
        apart: name of this machine, for a worker that shares no disk with the run; "" for all others.
    """

    config: pytest.Config = field(kw_only=True)
    suites: dict[str, CollectedSuite] = field(default_factory=dict)
    problem: str = ""
    apart: str = ""
    selected: dict[str, set[str]] = field(default_factory=dict)
    named: NamedModels | None = None
    termination: Termination = field(default_factory=Termination)
    _expected: dict[Path, NamedFile] = field(default_factory=dict)
    _matrices: dict[tuple[str, int], tuple[Matrix, Settings]] = field(default_factory=dict)
    _siblings: defaultdict[str, Siblings[CollectedSuite]] = field(default_factory=lambda: defaultdict(Siblings))

    @classmethod
    def begun(cls, config: pytest.Config, options: RunOptions) -> Run:
        """Begin the run in this process."""

        from pytest_navigator.engine.workspace import Workspace
        from pytest_navigator.isolation.progress import Progress
        from pytest_navigator.plugin.early import EARLY

        worker = getattr(config, "workerinput", {})
        run = cls(
            config=config,
            options=options,
            registry=registry_of(config),
            workspace=Workspace(options.workspace),
            start=config.invocation_params.dir,
            project=config.rootpath,
            worker=str(worker.get("workerid", "")),
            debugger=config.getoption("usepdb", False),
            recordable=recordable,
            progress=Progress(shown=config.option.verbose > 0 and not worker),
            early=config.stash.get(EARLY, None),
        )
        if any(config.getoption(name) for name in ("nav_model", *NEEDS_MODEL)):
            from pytest_navigator.plugin.named import named_models

            run.named = named_models(config, run.registry, run.file_config)
        return run

    def suite(self, place: Place, model_id: str, parameters: dict[str, Any]) -> CollectedSuite:
        """Return the suite of a place and a model's parameters; make it when it is met first.

        Raises:
            ConfigError: its configuration is wrong.
        """
        key = f"{place.nodeid}[{model_id}]"
        if key not in self.suites:
            made = self.suites[key] = self._suite(place, model_id, parameters)
            self._siblings[place.nodeid].add(made, parameters, made.matrix.framework)
        return self.suites[key]

    def met(self, place: Place, parameters: dict[str, Any], model_id: str, *, certain: bool) -> CollectedSuite | None:
        """Return the suite of a place whose model has these parameters (the same objects), if it was collected.

        Args:
            model_id: tells models apart whose parameters are one object: `params=[True, True]`.
            certain: whether no other id can be of the same model.
        """
        named = self.suites.get(f"{place.nodeid}[{model_id}]")
        if named and objects(named.parameters) == objects(parameters):
            return named
        return None if certain else self._siblings[place.nodeid].first(parameters)

    def parametrized(self, place: Place) -> bool:
        """Whether the models of a place that were collected are told apart by parameters."""
        return self._siblings[place.nodeid].parametrized

    def matrices(self, place: Place | None) -> list[Matrix]:
        """Return what the models of one place generate: one matrix, or one for each entry of a dict of NavConfigs."""
        return [self._matrix(place, config)[0] for config in place.configs()] if place else []

    def note(self, problem: str) -> None:
        """Keep the first usage error; it is raised when the collection is over."""
        self.problem = self.problem or problem

    @contextmanager
    def noting_problems(self) -> Iterator[None]:
        """Note a ConfigError instead of raising it: while pytest collects, it would become a traceback."""
        try:
            yield
        except ConfigError as error:
            self.note(str(error))

    def given(self, request: pytest.FixtureRequest, place: Place) -> Fixtures:
        """Return the user's own objects, as an item asks for them."""
        return Fixtures(request, place, self.building_at, self.named.loader if self.named else None)

    def provider(self, request: pytest.FixtureRequest, suite: CollectedSuite) -> Provider:
        """Return the model and the samples of a suite, as an item asks for them."""
        own = self.given(request, suite.place)
        if not isinstance(suite.place, PipelinePlace):
            return own
        from pytest_navigator.plugin.live_pipeline import ModuleFixtures

        return ModuleFixtures(own, suite.parameters[MODEL], suite.settings.config)

    @contextmanager
    def building_at(self, place: Place | None) -> Iterator[None]:
        """Seed what the user's code draws from while it builds the model of a place, or its loader."""
        with self.building(self._siblings[place.nodeid].frameworks if place else (), self._exporters):
            yield

    @cached_property
    def _exported(self) -> list[tuple[str, Format]]:
        """What is exported for the steps that are selected, each with its source."""
        suites = [suite for suite in self.suites.values() if suite.nodeid in self.selected]
        found = ((s.matrix.framework, name) for s in suites for name in s.matrix.exports(self.selected[s.nodeid]))
        return [(source, self.registry.format(name)) for source, name in dict.fromkeys(found)]

    @cached_property
    def _exporters(self) -> list[str]:
        """The modules that export what is selected; none where an earlier run may have done so."""
        exported = [] if self.options.resume else self._exported
        found = (module for source, form in exported for module in form.exported_by.get(source, ()))
        return list(dict.fromkeys(found))

    @cached_property
    def lacking(self) -> tuple[str, ...]:
        """The kinds of devices that this machine does not have: what the process that started the run has found."""
        told: dict[str, Any] = getattr(self.config, "workerinput", {})
        return tuple(told[LACKING]) if told else super().lacking

    def _here(self) -> Here:
        return Here(self.lacking, pointed_at(self.config))

    def warm_up(self, more: Iterable[str] = ()) -> None:
        """Do what every run does; set in this process what the frameworks ask for, before a model is built in it."""

        from pytest_navigator.isolation.uncollected import leave_to_the_system

        leave_to_the_system()
        for name, value in self.environment.items():
            os.environ.setdefault(name, value)
        runners = [runner for _, form in self._exported for runner in form.runner_specs]
        super().warm_up([*more, *(module for runner in runners for module in runner.imports)])

    def _suite(self, place: Place, model_id: str, parameters: dict[str, Any]) -> CollectedSuite:
        nav_config = place.config(model_id)
        matrix, settings = self._matrix(place, nav_config)
        name = settings.config.name or place.name
        full = f"{name}-{model_id}" if model_id and not (nav_config and nav_config.name and _own(place)) else name
        settings = self._expecting(place, nav_config, full, settings, matrix)
        folder = self.workspace.suite(full, f"{place.nodeid}[{model_id}]")
        nodeid = f"{place.nodeid}[{model_id}]" if model_id else place.nodeid
        return CollectedSuite(
            nodeid,
            full,
            settings,
            matrix,
            folder,
            place.package,
            self._baseline(full),
            place.pipeline_name,
            place=place,
            model_id=model_id,
            parameters=parameters,
        )

    def _baseline(self, name: str) -> RecordedBaseline | None:
        """Return the package that a model is compared with, which need not be there; None without `--nav-baseline`."""
        if not self.options.baseline:
            return None
        from pytest_navigator.engine.manifest import package_path
        from pytest_navigator.package.baseline import BaselinePackage

        place = package_path(self.options.baseline, name)
        if "://" not in place:
            return BaselinePackage(Path(place))
        from pytest_navigator.core.remote import Url

        url = Url(place)
        return BaselinePackage(self.workspace.remote / "baselines" / text_digest(place)[:12] / url.name, url)

    def _expecting(
        self, place: Place, nav_config: NavConfig | None, name: str, settings: Settings, matrix: Matrix
    ) -> Settings:
        """Return the settings of a suite with what a `nav_expected.toml` says of it.

        It stands beside the conftest.py or module of the model; beside the root, for one that is named.
        """
        path = (self.project if self.named else place.path.parent) / FILE
        mode = self.options.expected.mode
        if mode == OFF or not (mode == UPDATE or path.is_file()):
            return settings
        from pytest_navigator.plugin.expected import CHOOSING, Planned, expecting, named_file

        if path not in self._expected:
            self._expected[path] = named_file(path, self.project)
        suite = Planned(name, settings, matrix, lambda: self._planned(place, nav_config, CHOOSING)[0])
        return expecting(self, self._expected[path], suite, alone=place.package is None)

    def _matrix(self, place: Place, nav_config: NavConfig | None) -> tuple[Matrix, Settings]:
        """Return what a configuration means; every item asks for it, and a NavConfig lives as long as its module."""

        key = place.nodeid, id(nav_config)
        if key not in self._matrices:
            matrix, settings = self._planned(place, nav_config)
            matrix = on_this_machine(matrix, self._here, settings, self.registry)
            if place.compiles_by_name_only:
                from pytest_navigator.planning.compiled import compiling, only_by_name

                compiled = compiling(self.registry.runners().values())
                matrix = only_by_name(matrix, compiled, settings, self._here().points_at)
            if self.options.baseline:
                matrix = replace(matrix, gates=(*matrix.gates, "regression"))
            if settings.interpreters:
                from pytest_navigator.engine.interpreter_check import check

                check(self, settings, matrix, packaged=place.package is not None)
            self._matrices[key] = matrix, settings
        return self._matrices[key]

    def _planned(
        self, place: Place, nav_config: NavConfig | None, without: Collection[str] = ()
    ) -> tuple[Matrix, Settings]:
        """Return what a configuration means on a machine that has everything.

        Args:
            without: names of the settings of which the flags do not count.
        """
        settings = suite_settings(self.config, nav_config, without)
        source = place.package
        framework = source.suite.framework if source else framework_of(place, nav_config, self.registry)
        if settings.formats:
            from pytest_navigator.planning.groups import ungrouped

            settings = ungrouped(settings, self.registry, framework)
        if place.package is None:
            return building.build(settings, self.registry, framework), settings
        from pytest_navigator.package.planned import package_matrix

        return package_matrix(place.package, settings, self.registry), settings


def _own(place: Place) -> bool:
    """Whether nav_config is a dict, so that its name is one parameter's own."""
    return isinstance(place.nav_config, dict)
