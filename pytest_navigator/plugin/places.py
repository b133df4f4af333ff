"""Where the user's `nav_model` or `nav_pipeline` is defined: what the plugin knows of a model before it is built."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pytest_navigator.configuration.config import NavConfig
from pytest_navigator.errors import ConfigError
from pytest_navigator.plugin._compat import FIXTURE, fixture_called

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest

    from pytest_navigator.package.source import PackageSource

T = TypeVar("T")
Objects = frozenset[tuple[str, int]]

MODEL = "nav_model"
LOADER = "nav_dataloader"
PIPELINE = "nav_pipeline"
MODULES = "nav_modules"
# Folders that say nothing of whose model is in them: a package `tests.nav` is nobody's.
ROOT = "nav_root"  # What an xdist worker is told: the rootdir of the process that started the run
OF_TESTS = ("tests", "test", "testing")
# What an id of pytest, a folder and a file in a package can hold as it is.
MODULE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class Place:
    """Where a `nav_model` is defined, and so where its suite is.

    Attributes:
        nodeid: of the suite's node, without the model's own parameters.
        path: of the file.
        holders: the class chain, the module and the conftests that can see it, nearest first.
        name: what the suite is called if nav_config does not say.
    """

    nodeid: str
    path: Path
    holders: tuple[object, ...]
    name: str

    @property
    def fixture(self) -> object:
        """The definition of `nav_model`."""
        return fixture_called(self.holders[0], MODEL)

    @property
    def nav_config(self) -> object:
        """The nearest `nav_config`, whatever it is."""
        return next((vars(h)["nav_config"] for h in self.holders if "nav_config" in vars(h)), None)

    @property
    def framework(self) -> str:
        """The name of the framework, where something outside of the configuration says it; else ""."""
        return ""

    @property
    def package(self) -> PackageSource | None:
        """The package that is the source; None for a model."""
        return None

    @property
    def pipeline_name(self) -> str:
        """What the pipeline is called, "" for a model."""
        return ""

    @property
    def compiles_by_name_only(self) -> bool:
        """Whether `torch.compile` is checked only where somebody has named it."""
        return False

    @property
    def advice(self) -> str:
        """How to say which framework the model is of."""
        return (
            "annotate the fixture (def nav_model() -> torch.nn.Module, -> Callable for a function of numpy arrays) or "
            "write nav_config = NavConfig(framework=...) beside it"
        )

    def config(self, parameters: str = "") -> NavConfig | None:
        """Return the nearest `nav_config` (it wins whole); of a dict, the one of the model's parameters."""
        found = self.nav_config
        if isinstance(found, dict):
            found = found.get(parameters)
        if found is not None and not isinstance(found, NavConfig):
            said = "a fixture" if isinstance(found, FIXTURE) else repr(found)
            hint = ": write nav_config = NavConfig(...), it is read before fixtures are" if said == "a fixture" else ""
            raise ConfigError(
                f"nav_config seen from {self.nodeid} is {said}; it must be a NavConfig or a dict of them{hint}"
            )
        return found

    def configs(self) -> list[NavConfig | None]:
        """Return every configuration that a model of this place may have; one that a dict lacks has none."""
        found = self.nav_config
        return [*map(self.config, found), None] if isinstance(found, dict) else [self.config()]

    @property
    def source(self) -> Path:
        """The file that the fixture is written in; another one than `path` if it was imported from there."""
        return Path(inspect.getfile(function_of(self.fixture)))

    @cached_property
    def line(self) -> int:
        """The line of the fixture in that file, from 0."""
        return inspect.getsourcelines(function_of(self.fixture))[1] - 1

    def relative_path(self, config: pytest.Config) -> str:
        """Return that file as pytest's reports write paths."""
        return nodeid_of(self.source, config)


@dataclass(frozen=True)
class PipelinePlace(Place):
    """Where a `nav_pipeline` is defined: each of its modules has a suite there, and the whole of it one more."""

    @property
    def fixture(self) -> object:
        """The definition of `nav_pipeline`."""
        return fixture_called(self.holders[0], PIPELINE)

    @property
    def framework(self) -> str:
        """Modules of a pipeline are PyTorch's."""
        return "torch"

    @property
    def nav_config(self) -> object:
        """What `nav_modules` says of each module, and of those of which it says nothing the nearest `nav_config`."""
        found, near = self._nav_modules, super().nav_config
        if not isinstance(found, dict) or not any(found.values()):
            return near
        return {name: own or (near.get(name) if isinstance(near, dict) else near) for name, own in found.items()}

    @property
    def whole_config(self) -> NavConfig:
        """What is said of the whole pipeline: the nearest `nav_config`, if it is one for all."""
        found = super().nav_config
        return found if isinstance(found, NavConfig) else NavConfig()

    @property
    def pipeline_name(self) -> str:
        """What the nav_config of all its modules says, else what its place is called."""
        return self.whole_config.name or self.name

    def config(self, parameters: str = "") -> NavConfig | None:
        """Return the configuration of one module."""
        self._check(parameters)
        return super().config(parameters)

    def configs(self) -> list[NavConfig | None]:
        """Return the configuration of every module."""
        return [self.config(name) for name in self.modules]

    @property
    def modules(self) -> tuple[str, ...]:
        """The names of the modules that are checked: the same objects each time.

        Raises:
            ConfigError: there is no `nav_modules`, or it is none; says what to write.
        """
        found = self._nav_modules
        if found is None:
            raise ConfigError(f"{self.nodeid} has no {MODULES} beside it: {WRITE}")
        if not isinstance(found, tuple | list | dict):
            said = "a fixture" if isinstance(found, FIXTURE) else repr(found)
            raise ConfigError(f"{MODULES} seen from {self.nodeid} is {said}: {WRITE}")
        if not found:
            raise ConfigError(f"{MODULES} seen from {self.nodeid} is empty: {WRITE}")
        for name in found:
            if not (isinstance(name, str) and MODULE_NAME.fullmatch(name)):
                raise ConfigError(
                    f"{MODULES} seen from {self.nodeid} has {name!r}: a module's name is a text of letters, digits, "
                    "'_', '.' and '-', like 'vae.decoder'"
                )
            if list(found).count(name) > 1:
                raise ConfigError(f"{MODULES} seen from {self.nodeid} names {name!r} twice: leave one of them out")
        return tuple(found)

    @property
    def _nav_modules(self) -> Any:
        return next((vars(holder)[MODULES] for holder in self.holders if MODULES in vars(holder)), None)

    def _check(self, name: str) -> None:
        found: Mapping[str, object] = self._nav_modules if isinstance(self._nav_modules, dict) else {}
        own = found.get(name)
        if own is not None and not isinstance(own, NavConfig):
            raise ConfigError(
                f"{MODULES} seen from {self.nodeid} has {own!r} for {name!r}: it must be a NavConfig, or None"
            )


WRITE = (
    f'write {MODULES} = ("unet", "vae.decoder") with the names of the modules to check, or {{name: NavConfig(...)}}; '
    "it is read before fixtures are"
)


def default_name(holder: object, path: Path) -> str:
    """Return the class, the module or the folder that holds the fixture; of a folder of tests, the project's."""
    if inspect.isclass(holder):
        return holder.__name__
    folder = path.parent.parent if path.parent.name in OF_TESTS else path.parent
    return folder.name or path.parent.name if path.name == "conftest.py" else path.stem.removeprefix("test_")


def where_it_began(path: Path, config: pytest.Config) -> Path:
    """Return a file's path where the run was started: another host may have the project in a folder of another name."""
    root = getattr(config, "workerinput", {}).get(ROOT)
    return Path(root, path.relative_to(config.rootpath)) if root and path.is_relative_to(config.rootpath) else path


def function_of(fixture: Any) -> Any:
    """Return the function that a fixture is made of."""
    return fixture.__wrapped__


def nodeid_of(path: Path, config: pytest.Config) -> str:
    """Return how pytest writes a file: relative to the rootdir, if it is below it."""
    return path.relative_to(config.rootpath).as_posix() if path.is_relative_to(config.rootpath) else str(path)


def objects(parameters: Mapping[str, object]) -> Objects:
    """Return what is equal for parameters that are the same objects, as long as somebody keeps these."""
    return frozenset((name, id(value)) for name, value in parameters.items())


@dataclass
class Siblings(Generic[T]):
    """The suites of one place; every item asks, and a place may have hundreds of models.

    Attributes:
        frameworks: of their models.
        parametrized: whether parameters tell their models apart.
    """

    frameworks: set[str] = field(default_factory=set)
    parametrized: bool = False
    _first: dict[Objects, T] = field(default_factory=dict)

    def add(self, suite: T, parameters: Mapping[str, object], framework: str) -> None:
        """Know one more suite, which keeps the parameters of its model."""
        self.frameworks.add(framework)
        self.parametrized = self.parametrized or bool(parameters)
        self._first.setdefault(objects(parameters), suite)

    def first(self, parameters: Mapping[str, object]) -> T | None:
        """Return the first suite whose model has these very objects as parameters, None if no model has."""
        return self._first.get(objects(parameters))
