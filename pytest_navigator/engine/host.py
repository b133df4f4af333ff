"""What the steps have of the run that they are in, whoever started it: pytest, or a function of the API."""

from __future__ import annotations

import os
import shutil
import sys
import uuid
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from pytest_navigator.core.plain import save
from pytest_navigator.devices.driver_library import has_driver
from pytest_navigator.errors import SourceError
from pytest_navigator.isolation.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from pytest_navigator.configuration.nav_config_file import FileConfig
    from pytest_navigator.configuration.run_options import RunOptions
    from pytest_navigator.configuration.settings import Settings
    from pytest_navigator.core.plain import JSON
    from pytest_navigator.core.records import Outcome
    from pytest_navigator.core.timeline import Timeline
    from pytest_navigator.core.variants import RunnerRecord
    from pytest_navigator.engine.ahead import Ahead
    from pytest_navigator.engine.cache.store import Store
    from pytest_navigator.engine.children import Children
    from pytest_navigator.engine.kept import KeptRunners
    from pytest_navigator.engine.suite import Suite
    from pytest_navigator.engine.workspace import Workspace
    from pytest_navigator.formats.registry import Registry
    from pytest_navigator.gates.sides import Baseline
    from pytest_navigator.isolation.early import EarlyChild


ISOLATED = "pytest_navigator.engine.isolated"  # by name: a run that only collects does without it


@contextmanager
def recordable(what: str) -> Iterator[None]:
    """Turn what would end the process into an error that a step can record: the steps after it hear of it too.

    Raises:
        SourceError: the user's code called `sys.exit`.
    """

    from pytest_navigator.isolation.causes import error_line

    try:
        yield
    except SystemExit as error:
        raise SourceError(f"{what} raised {error_line(error)}") from error


def debugging() -> bool:
    """Whether exceptions go through to the user's debugger, besides being recorded."""
    return os.environ.get("NAV_DEBUG") == "1"


@dataclass
class Host:
    """One process of one run.

    Attributes:
        start: the folder that the user started in: paths in the options are below it.
        project: the folder of the user's code: where the child works, and whose git commit is recorded.
        worker: the name of this process among several that share the run ("gw0"); "" in a process of its own.
        debug: whether what a step raises goes through to who called it, as it is.
        debugger: whether one stops where a step raises.
        hands_over: whether the package goes to who called a function, as an object.
        recordable: what turns the ways in which user code can end a test or the process into errors.
        suites: by what tells them apart, as far as this process knows them.
        seen: a suite -> its model that this process last knew for the source step's.
        raised: a suite and a step's id -> what the step raised, for who debugs.
        hints: what the end of the run says.
        probed: commands of interpreters that have been asked, with what is needed there.
        versions: what is installed in them, by what was asked.
        ahead: what runs steps ahead of the items that report them; None: nothing does.
        later: in the host of steps that run ahead, takes what the main thread is to do when an item asks for the step:
            all that reads source code, since Python's parser is not safe in two threads. Everywhere else None.
        early: what may have started the child before this was made.
        timeline: notes what ran where and when; None: nobody wants to know.
        verifying: node ids of the `verify_` tests that this run has selected; None: all that its suites have.
    """

    options: RunOptions
    registry: Registry
    workspace: Workspace
    start: Path
    project: Path
    worker: str = ""
    debugger: bool = False
    debug: bool = field(default_factory=debugging)
    hands_over: bool = False
    recordable: Callable[[str], AbstractContextManager[None]] = recordable
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    progress: Progress = field(default_factory=lambda: Progress(shown=False))
    suites: Mapping[str, Suite] = field(default_factory=dict)
    seen: dict[str, Callable[[], object]] = field(default_factory=dict)
    raised: dict[tuple[str, str], BaseException] = field(default_factory=dict)
    hints: list[str] = field(default_factory=list)
    probed: set[tuple[tuple[str, ...], tuple[str, ...]]] = field(default_factory=set)
    versions: dict[tuple[tuple[str, ...], ...], dict[str, Any]] = field(default_factory=dict)
    verifying: frozenset[str] | None = None
    timeline: Timeline | None = None
    ahead: Ahead | None = None
    later: Callable[[Callable[[], object]], object] | None = None
    early: EarlyChild | None = None

    def noted(self, name: str, part: str = "") -> AbstractContextManager[None]:
        """Note what is done here for the timeline, if there is one."""
        return self.timeline.of(name, part) if self.timeline else nullcontext()

    @cached_property
    def file_config(self) -> FileConfig:
        """What `--nav-config` says; its defaults without one."""
        from pytest_navigator.configuration.nav_config_file import FileConfig

        return self.options.file_config or FileConfig()

    @cached_property
    def lacking(self) -> tuple[str, ...]:
        """The kinds of devices that this machine does not have; a GPU that is in trouble is there."""
        if not has_driver():
            return ("cuda",)
        from pytest_navigator.devices.present import devices
        from pytest_navigator.devices.records import NONE

        return ("cuda",) if devices().missing == NONE else ()

    @cached_property
    def cache(self) -> Store | None:
        """What `--nav-cache` has of earlier runs; None without it."""

        if not self.options.cache:
            return None
        from pytest_navigator.engine.cache.opening import opened

        return opened(self.options.cache, self.workspace.remote / f"cache-{os.getpid()}", self.warn)

    @cached_property
    def machine(self) -> Mapping[str, JSON]:
        """Model Navigator's `environment` block, the same in every package and report that the run writes."""
        from pytest_navigator.devices.environment import environment

        return environment()

    @cached_property
    def git(self) -> Mapping[str, JSON] | None:
        """The state of the user's checkout when the first package is written; None: it is not recorded."""
        from pytest_navigator.devices.environment import git_state

        return None if self.options.no_git else git_state(self.project)

    @property
    def seed(self) -> int:
        """Of the setup of models and loaders: suites that disagree have the first one's."""
        return next((int(suite.settings.seed) for suite in self.suites.values()), 0)

    @contextmanager
    def building(self, frameworks: Iterable[str] = (), more: Iterable[str] = ()) -> Iterator[None]:
        """Seed what the user's code draws from while it builds a model or a loader.

        Args:
            frameworks: of the model; they are imported first, since nothing can be seeded that is not there yet.
            more: modules that are needed later and cost less before there is a model.
        """

        from pytest_navigator.frameworks.seeding import seeded
        from pytest_navigator.isolation.uncollected import imported_for_good

        packages = {self.registry.framework(name).package for name in frameworks} - {""}
        if packages or frameworks:
            # A function of arrays has no package of its own, and draws from numpy as all others do.
            imported_for_good(("numpy", *packages, *more), known=not packages.isdisjoint(sys.modules))
        with seeded(self.seed, self.registry.frameworks.values()):
            yield

    def warm_up(self, more: Iterable[str] = ()) -> None:
        """Start the child and have it import what the runners of this run need, and `more` modules."""
        runners = list(self._warm_runners())
        if self.options.in_process or not runners:
            return
        modules = [name for r in runners for name in r.requires if r.device == "cpu" and find_spec(name) is not None]
        self.children.warm_up(list(dict.fromkeys([*modules, ISOLATED, *more])))

    def _warm_runners(self) -> Iterator[RunnerRecord]:
        """Yield what runs files in a child of this very Python."""
        for suite in self.suites.values():
            for runner in suite.matrix.runners.values():
                if not runner.live and not self.command_of(suite.settings, runner.format):
                    yield runner

    def command_of(self, settings: Settings, form: str) -> tuple[str, ...]:
        """Return what starts the Python that makes and runs a format's files; () for this one."""
        if not settings.interpreters:
            return ()  # most runs have one Python: they import nothing for that
        runners = self.registry.format(form).runner_specs
        if runners and all(runner.live for runner in runners):
            return ()  # the model itself is here
        from pytest_navigator.engine.interpreters import Places, command_of

        return command_of(Places(self.start, self.project, self.workspace.root), settings, form)

    def reproducing(self, suite: Suite, outcome: Outcome) -> tuple[str, ...]:
        """Return what starts the Python that the script of a step is for; () for this one."""
        variant = suite.matrix.variants.get(outcome.key)
        if variant is None or outcome.step == "export":
            return ()
        return self.command_of(suite.settings, variant.format)

    @cached_property
    def children(self) -> Children:
        """The processes that make the calls of steps for this one."""
        from pytest_navigator.engine.children import Children

        return Children(self.project, self.workspace.devices, lambda: self.environment, early=self.early)

    @cached_property
    def kept(self) -> KeptRunners:
        """Runners of live models that stay loaded, in this process."""
        from pytest_navigator.engine.kept import KeptRunners

        return KeptRunners()

    def let_go(self) -> None:
        """Free what is loaded of live models: a model goes."""
        if "kept" in vars(self):
            self.kept.clear()

    def write_manifests(
        self, verify: Mapping[str, dict[str, tuple[str, str]]], baselines: Mapping[str, Baseline] | None = None
    ) -> None:
        """Record what there is to check: the package's status and a later `pack` start from it.

        Args:
            verify: the `verify_` tests of each suite, see `SuiteRecord`.
            baselines: what a suite is compared with.

        Raises:
            ConfigError: two models would be written to one package.
        """

        from pytest_navigator.engine.manifest import check_names, manifest

        check_names(self.suites.values(), self.options.package)
        for suite in self.suites.values():
            tests = verify.get(suite.nodeid, {})
            record = replace(manifest(suite, self.options.package), verify=tests, run=self.id)
            with self.workspace.writing(suite.folder.path):
                save(suite.folder.path / "suite.json", record)
                suite.folder.compare_with((baselines or {}).get(suite.nodeid))

    def warn(self, text: str) -> None:
        """Have the end of the run say, once, what went wrong without failing anything."""
        line = f"WARNING: {text}"
        if line not in self.hints:
            self.hints.append(line)

    def close(self) -> None:
        """End what this process started."""
        self.progress.close()
        self.let_go()
        if cache := vars(self).get("cache"):
            cache.close()
        if "://" in (self.options.baseline or "") and not self.worker:
            shutil.rmtree(self.workspace.remote, ignore_errors=True)
        if "children" in vars(self):
            self.children.close()
        if self.ahead:
            self.ahead.close()  # after the children: those that it has started end with it

    @property
    def environment(self) -> dict[str, str]:
        """Variables that the frameworks of the models ask for; a user's value stays."""
        known = [self.registry.frameworks.get(suite.matrix.framework) for suite in self.suites.values()]
        return {name: value for framework in known if framework for name, value in framework.environment.items()}
