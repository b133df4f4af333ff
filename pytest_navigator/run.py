"""What one process of a run holds: the registry, the workspace, the child, and the suites that it has met."""

from __future__ import annotations

import os
import uuid
from contextlib import contextmanager
from contextlib import suppress
from dataclasses import dataclass
from dataclasses import field
from dataclasses import fields
from dataclasses import is_dataclass
from dataclasses import replace
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING
from typing import Any

import pytest

from pytest_navigator.cache.store import Store
from pytest_navigator.collecting.collection import pointed_at
from pytest_navigator.collecting.detection import framework_of
from pytest_navigator.collecting.live import seeded
from pytest_navigator.collecting.named import NamedModels
from pytest_navigator.collecting.named import named_models
from pytest_navigator.configuration.options import suite_settings
from pytest_navigator.devices.found import lacking
from pytest_navigator.devices.kinds import AUTO
from pytest_navigator.errors import ConfigError
from pytest_navigator.files.package_matrix import package_matrix
from pytest_navigator.packing import check_target
from pytest_navigator.planning import matrix as matrices
from pytest_navigator.planning.here import Here
from pytest_navigator.planning.here import at_home
from pytest_navigator.records import SuiteRecord
from pytest_navigator.records import save
from pytest_navigator.registry import Registry
from pytest_navigator.registry import registry_of
from pytest_navigator.reporting.progress import Progress
from pytest_navigator.samples.described import described
from pytest_navigator.termination import Termination
from pytest_navigator.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterable
    from collections.abc import Iterator
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_navigator.collecting.collection import Place
    from pytest_navigator.configuration.config import NavConfig
    from pytest_navigator.configuration.options import RunOptions
    from pytest_navigator.configuration.settings import Settings
    from pytest_navigator.files.config import FileConfig
    from pytest_navigator.isolation.child import Child
    from pytest_navigator.planning.matrix import Matrix
    from pytest_navigator.workspace import SuiteFolder

RUN = pytest.StashKey["Run"]()
UNASKED = pytest.StashKey[frozenset[str]]()
"""Names of the formats that are made for who called a function of `api`, though the call says nothing of them."""

CALLER = pytest.StashKey["Path"]()
LACKING = "nav_lacking"
"""What an xdist worker is told of `Run.lacking`, so that all of them collect the same."""


@dataclass(frozen=True)
class Suite:
    """The generated tests of one `nav_model`, of one parameter of it.

    Attributes:
        parameters: the model's own, by fixture name; empty for a model without any.
        model_id: those parameters as the items' ids write them.
    """

    place: Place
    model_id: str
    parameters: dict[str, Any]
    settings: Settings
    matrix: Matrix
    folder: SuiteFolder
    name: str

    @property
    def nodeid(self) -> str:
        """The suite's node, with the model's own parameters in brackets."""
        return f"{self.place.nodeid}[{self.model_id}]" if self.model_id else self.place.nodeid


@dataclass
class Run:
    """One process of one run."""

    config: pytest.Config
    options: RunOptions
    registry: Registry
    workspace: Workspace
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    suites: dict[str, Suite] = field(default_factory=dict)
    problem: str = ""
    hints: list[str] = field(default_factory=list)
    selected: dict[str, set[str]] = field(default_factory=dict)
    """Suite -> ids of the steps that tests of this run report."""
    progress: Progress = field(default_factory=lambda: Progress(shown=False))
    named: NamedModels | None = None
    termination: Termination = field(default_factory=Termination)
    seen: dict[str, Callable[[], object]] = field(default_factory=dict)
    """The node of a suite -> its model that this process last knew for the source step's."""
    raised: dict[tuple[str, str], BaseException] = field(default_factory=dict)
    """The node of a suite and a step's id -> where `--pdb` stops in the step's own test."""
    _child: Child | None = None
    _matrices: dict[tuple[str, int], tuple[Matrix, Settings]] = field(default_factory=dict)

    @classmethod
    def start(cls, config: pytest.Config, options: RunOptions) -> Run:
        """Begin the run in this process."""
        run = cls(config, options, registry_of(config), Workspace(options.workspace))
        run.named = named_models(config, run.registry, run.file_config)
        run.progress = Progress(shown=config.option.verbose > 0 and not hasattr(config, "workerinput"))
        return run

    def suite(self, place: Place, model_id: str, parameters: dict[str, Any]) -> Suite:
        """Return the suite of a place and a model's parameters; make it when it is met first.

        Raises:
            ConfigError: its configuration is wrong.
        """
        key = f"{place.nodeid}[{model_id}]"
        if key not in self.suites:
            self.suites[key] = self._suite(place, model_id, parameters)
        return self.suites[key]

    def met(self, place: Place, parameters: dict[str, Any]) -> Suite | None:
        """Return the suite of a place whose model has these parameters (the same objects), if it was collected."""
        for suite in self.suites.values():
            same = suite.parameters.keys() == parameters.keys()
            if (
                suite.place.nodeid == place.nodeid
                and same
                and all(parameters[n] is v for n, v in suite.parameters.items())
            ):
                return suite
        return None

    def parametrized(self, place: Place) -> bool:
        """Whether the models of a place that were collected are told apart by parameters."""
        return any(suite.parameters for suite in self.suites.values() if suite.place.nodeid == place.nodeid)

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

    @property
    def file_config(self) -> FileConfig:
        """What `--nav-config` says."""
        return self.options.file_config

    @contextmanager
    def building(self, place: Place | None = None) -> Iterator[None]:
        """Seed what the user's code draws from while it builds a model or a loader.

        Args:
            place: of the model; its framework is imported first, since nothing can be seeded that is not there yet.
        """
        for name in self._drawn_from(place):
            with suppress(Exception):  # the user's own import of it raises that again, where it is seen
                import_module(name)
        with seeded(self.seed, self.registry.frameworks.values()):
            yield

    @property
    def project(self) -> Path:
        """The folder of the user's code: where the child works, and whose git commit is recorded."""
        return self.caller or self.config.rootpath

    @property
    def caller(self) -> Path | None:
        """The working directory of who called a function of `api`; None in a run of pytest's own command line."""
        return self.config.stash.get(CALLER, None)

    @property
    def worker(self) -> str:
        """The name of this process among xdist's workers ("gw0"); "" in a process of its own."""
        return str(getattr(self.config, "workerinput", {}).get("workerid", ""))

    @property
    def seed(self) -> int:
        """Of the setup of `nav_model` and `nav_dataloader`: suites that disagree have the first one's."""
        seeds = [suite.settings.seed for suite in self.suites.values()]
        return int(seeds[0]) if seeds else 0

    def warm_up(self, more: Iterable[str] = ()) -> None:
        """Start the child and have it import what the runners of this run need, and `more` modules."""
        self._set_environment()
        runners = [r for suite in self.suites.values() for r in suite.matrix.runners.values() if not r.live]
        if self.options.in_process or not runners:
            return
        modules = [name for r in runners for name in r.requires if r.device == "cpu" and find_spec(name) is not None]
        self.child.start(imports=list(dict.fromkeys([*modules, *more])))

    @property
    def child(self) -> Child:
        """The child of this process; its imports overlap what this process does."""
        from pytest_navigator.isolation.child import Child
        from pytest_navigator.isolation.child import parent_settings

        if self._child is None:
            self._child = Child(cwd=self.project)
        self._child.settings = parent_settings()
        return self._child

    def write_manifests(self, verify: Mapping[str, dict[str, tuple[str, str]]]) -> None:
        """Record what was collected: the package's status and a later `pack` start from it.

        Args:
            verify: the `verify_` tests of each suite, see `SuiteRecord`.
        """
        check_names(list(self.suites.values()), self.options.package)
        for suite in self.suites.values():
            if self.options.package:
                start = self.config.invocation_params.dir
                check_target(str(start / package_path(self.options.package, suite.name)), self.options.workspace)
            tests = verify.get(suite.nodeid, {})
            record = replace(manifest(suite, self.options.package), verify=tests, run=self.id)
            with self.workspace.writing(suite.folder.path):
                save(suite.folder.path / "suite.json", record)

    @cached_property
    def lacking(self) -> tuple[str, ...]:
        """The kinds of devices that this machine does not have: what the process that started the run has found."""
        told: dict[str, Any] = getattr(self.config, "workerinput", {})
        return tuple(told[LACKING]) if told else lacking()

    @cached_property
    def cache(self) -> Store | None:
        """What `--nav-cache` has of earlier runs; None without it."""
        return Store(self.options.cache, self.warn) if self.options.cache else None

    def warn(self, text: str) -> None:
        """Have the end of the run say, once, what went wrong without failing anything."""
        line = f"WARNING: {text}"
        if line not in self.hints:
            self.hints.append(line)

    def close(self) -> None:
        """End what this process started."""
        self.progress.close()
        if self._child is not None:
            self._child.close()

    def _drawn_from(self, place: Place | None) -> set[str]:
        """Return the packages whose random state the setup of a model may use."""
        names = {s.matrix.framework for s in self.suites.values() if place and s.place.nodeid == place.nodeid}
        return {"numpy", *(self.registry.framework(name).package for name in names)} - {""} if names else set()

    def _set_environment(self) -> None:
        """Set what the frameworks of the models ask for, in this process and so in the child; a user's value stays."""
        for suite in self.suites.values():
            framework = self.registry.frameworks.get(suite.matrix.framework)
            for name, value in framework.environment.items() if framework else ():
                os.environ.setdefault(name, value)

    def _suite(self, place: Place, model_id: str, parameters: dict[str, Any]) -> Suite:
        nav_config = place.config(model_id)
        matrix, settings = self._matrix(place, nav_config)
        name = settings.config.name or place.name
        full = f"{name}-{model_id}" if model_id and not (nav_config and nav_config.name and _own(place)) else name
        folder = self.workspace.suite(full, f"{place.nodeid}[{model_id}]")
        return Suite(place, model_id, parameters, settings, matrix, folder, full)

    def _matrix(self, place: Place, nav_config: NavConfig | None) -> tuple[Matrix, Settings]:
        """Return what a configuration means; every item asks for it, and a NavConfig lives as long as its module."""
        key = place.nodeid, id(nav_config)
        if key not in self._matrices:
            settings = suite_settings(self.config, nav_config)
            framework = framework_of(place, nav_config, self.registry)
            unasked = self.config.stash.get(UNASKED, frozenset())
            if place.package:
                matrix = package_matrix(place.package, settings, self.registry)
            else:
                matrix = matrices.build(settings, self.registry, framework, unasked)
            if settings.device == AUTO and any(runner.device != "cpu" for runner in matrix.runners.values()):
                here = Here(self.lacking, pointed_at(self.config))
                matrix = at_home(matrix, here, settings, self.registry, unasked)
            self._matrices[key] = matrix, settings
        return self._matrices[key]


def _own(place: Place) -> bool:
    """Whether nav_config is a dict, so that its name is one parameter's own."""
    return any(isinstance(vars(h).get("nav_config"), dict) for h in place.holders)


def package_path(pattern: str | None, name: str) -> str:
    """Return the package of one model: `{model}` in the pattern is its name."""
    return (pattern or "").replace("{model}", name.replace("/", "-"))


def check_names(suites: list[Suite], pattern: str | None) -> None:
    """Refuse two models that would be written to one package.

    Raises:
        ConfigError: with the models, and what to write.
    """
    packages: dict[str, str] = {}
    for suite in suites:
        path = package_path(pattern, suite.name)
        if pattern and path in packages:
            what = "models are called " + repr(suite.name) if "{model}" in pattern else "models would be written to it"
            raise ConfigError(
                f"--nav-package={pattern}: two {what}: {packages[path]} and {suite.nodeid}. "
                + (
                    "Give them names: NavConfig(name=...)"
                    if "{model}" in pattern
                    else "Write {model} in it: {model}.nav"
                )
            )
        packages[path] = suite.nodeid


def manifest(suite: Suite, pattern: str | None) -> SuiteRecord:
    """Return a suite as plain data."""
    matrix = suite.matrix
    return SuiteRecord(
        name=suite.name,
        nodeid=suite.nodeid,
        framework=matrix.framework,
        package=package_path(pattern, suite.name),
        variants=tuple(replace(v, runners=matrix.runners_of(v.key)) for v in matrix.variants.values()),
        runners=matrix.runners,
        steps=tuple(step.id for step in matrix.steps()),
        settings=_plain_settings(suite.settings),
        implied=matrix.implied,
        named=matrix.named,
        provided=matrix.provided,
        required=matrix.required,
        elsewhere=dict(matrix.elsewhere),
    )


def _plain_settings(settings: Settings) -> dict[str, Any]:
    """Return each setting's value and origin; objects of configuration as their fields."""
    own = (
        "batch_dim",
        "unbatched",
        "input_names",
        "output_names",
        "dynamic_axes",
        "optimization_profile",
        "comparisons",
        "xfail",
    )
    merged = {name: (s.value, s.origin) for name, s in settings.all.items()}
    merged |= {name: (getattr(settings.config, name), "nav_config") for name in own}
    return {name: {"value": _plain(value), "origin": origin} for name, (value, origin) in merged.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, (str, int, float, bool, type(None))):
        return value
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    return getattr(value, "__qualname__", None) or described(value)
