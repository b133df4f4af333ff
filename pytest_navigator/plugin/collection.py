"""Where `nav_model` lives -> the node of its suite; which `verify_` functions are ours; their parameters."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from pytest_navigator.configuration.config import NavConfig
from pytest_navigator.errors import ConfigError
from pytest_navigator.plugin._compat import FIXTURE, ConftestModule, PlantedClass, fixture_called, functions_of
from pytest_navigator.plugin.suite import NavigatorSuite

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from pytest_navigator.package.source import PackageSource

MODEL = "nav_model"
LOADER = "nav_dataloader"
SUITE = "nav_suite"  # The parameter of a `verify_` test that says which one of several named models it is of
# The hooks that are asked once, before anything is collected.
EXTENDING = ("pytest_nav_formats", "pytest_nav_runners", "pytest_nav_frameworks")
VERIFY = "verify_"
RUNNER_FIXTURES = {"nav_runner", "nav_source_runner", "nav_package"}
# Folders that say nothing of whose model is in them: a package `tests.nav` is nobody's.
OF_TESTS = ("tests", "test", "testing")


class Notes(Protocol):
    """Who keeps what is wrong until the collection is over."""

    def note(self, problem: str) -> None:
        """Keep a usage error."""


NOTES = pytest.StashKey[Notes]()


class Named(Protocol):
    """What `--nav-model` named."""

    @property
    def places(self) -> Sequence[Place]:
        """The places of the models, in their order."""

    def place_of(self, node: pytest.Item | pytest.Collector) -> Place | None:
        """Return the place of the model that a node is of."""

    def collect(self, path: Path, parent: pytest.Collector) -> pytest.Module | None:
        """Return the node of a file that is named; None for any other."""

    def check_loader(self, item: pytest.Item) -> None:
        """Find a `verify_` test that sees another loader than its model's file."""


NAMED = pytest.StashKey[Named]()  # Not there without `--nav-model`


class SuiteNode(PlantedClass):
    """The generated tests of one `nav_model`."""

    planted = NavigatorSuite

    def collect(self) -> Iterable[pytest.Item | pytest.Collector]:
        """Mark the suite before its items inherit from it."""
        self.add_marker("nav")
        return super().collect()


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


PLACE = pytest.StashKey[Place | None]()  # Of a collector: what `place_of` has found for it


def visible_models(config: pytest.Config) -> list[str]:
    """Return the conftests with a `nav_model` that pytest has loaded, collected or not."""
    conftests = [(Path(n), p) for n, p in config.pluginmanager.list_name_plugin() if Path(n).name == "conftest.py"]
    return [nodeid_of(path, config) for path, module in conftests if fixture_called(module, MODEL)]


def too_late(hook: str, plugin: object, config: pytest.Config) -> str:
    """Return what to write where a conftest.py adds a format while pytest collects."""
    path = nodeid_of(Path(str(getattr(plugin, "__file__", plugin))), config)
    return (
        f"{path} has {hook}, but pytest loads it only while it collects: move the hook into the conftest.py of "
        f"{config.rootpath}, or name {path} in the arguments"
    )


def plugin_models(config: pytest.Config) -> list[str]:
    """Return the modules with a `nav_model` that are plugins (of `pytest_plugins`, or `-p`), and so are no places."""
    plugins = [plugin for name, plugin in config.pluginmanager.list_name_plugin() if Path(name).name != "conftest.py"]
    modules = [plugin for plugin in plugins if isinstance(plugin, ModuleType) and fixture_called(plugin, MODEL)]
    return [module.__name__ for module in modules if not module.__name__.startswith("pytest_navigator.")]


def holders(node: pytest.Item | pytest.Collector) -> Iterator[tuple[str, Path, object]]:
    """Yield node id, file and object of everything around `node` that can hold a fixture, nearest first."""
    for above in reversed(node.listchain()):
        if isinstance(above, (pytest.Class, pytest.Module)) and not isinstance(above, SuiteNode):
            yield above.nodeid, above.path, above.obj
    yield from conftests_of(node.path, node.config)


def conftests_of(own: Path, config: pytest.Config) -> Iterator[tuple[str, Path, object]]:
    """Yield node id, file and module of the loaded conftests that a file sees, nearest first."""
    root = config.rootpath
    inside = own.is_relative_to(root)
    # The conftest.py of the rootdir is everybody's, wherever a file is.
    for folder in [*(f for f in own.parents if not inside or f.is_relative_to(root)), *([] if inside else [root])]:
        path = folder / "conftest.py"
        module = config.pluginmanager.get_plugin(str(path))
        if module is not None and path != own:
            yield nodeid_of(path, config), path, module


def place_of(node: pytest.Item | pytest.Collector) -> Place | None:
    """Return the place of the model that `--nav-model` names, else of the nearest `nav_model` seen from `node`."""
    if (named := named_of(node.config)) is not None:
        return named.place_of(node)
    # Several hooks ask this of every item, and all items of a class or a module see the same.
    collector = node.parent if isinstance(node, pytest.Item) and node.parent else node
    if PLACE not in collector.stash:
        collector.stash[PLACE] = _nearest(collector)
    return collector.stash[PLACE]


def _nearest(node: pytest.Item | pytest.Collector) -> Place | None:
    around = list(holders(node))
    for i, (nodeid, path, obj) in enumerate(around):
        if fixture_called(obj, MODEL):
            return Place(f"{nodeid}::{MODEL}", path, tuple(o for _, _, o in around[i:]), _default_name(obj, path))
    return None


def loader_override(item: pytest.Item, place: Place) -> str | None:
    """Return the node id of a `nav_dataloader` that stands below the `nav_model` of `item`, None if there is none."""
    for nodeid, _, obj in holders(item):
        if obj is place.holders[0]:
            return None
        if fixture_called(obj, LOADER):
            return nodeid
    return None


def pointed_at(config: pytest.Config) -> tuple[str, ...]:
    """Return the parameters in the ids of the single items that the arguments name."""
    ids = (argument.rpartition("::")[2] for argument in config.args if "::" in argument)
    return tuple(name.removesuffix("]").partition("[")[2] for name in ids if "[" in name)


def named_of(config: pytest.Config) -> Named | None:
    """Return what `--nav-model` named, None without it."""
    return config.stash.get(NAMED, None)


def collect_file(path: Path, parent: pytest.Collector, collectors: list[pytest.Collector]) -> None:
    """Add the collectors of a file that is named, and of a conftest.py for its `nav_model`."""
    named = named_of(parent.config)
    module = named.collect(path, parent) if named else None
    if module is not None:
        # pytest made one of its own for a function's file: it would be imported now.
        collectors[:] = [*(c for c in collectors if _is_test_file(path, parent.config)), module]
    _collect_conftest(path, parent, collectors)


def _is_test_file(path: Path, config: pytest.Config) -> bool:
    """Whether pytest would take a file for tests if nobody had named it."""
    return any(path.match(pattern) for pattern in config.getini("python_files"))


def _collect_conftest(path: Path, parent: pytest.Collector, collectors: list[pytest.Collector]) -> None:
    """Add the collector of a conftest.py, in the place of pytest's own if it made one (the file was named outright)."""
    if path.name != "conftest.py" or parent.config.pluginmanager.get_plugin(str(path)) is None:
        return
    module = ConftestModule.from_parent(parent, path=path)
    module.planted = planted_in_conftest
    # Exactly that class: the collector of doctests is derived from it, and stays.
    module.with_tests = any(type(collector) is pytest.Module for collector in collectors)
    collectors[:] = [*(c for c in collectors if type(c) is not pytest.Module), module]


def planted_in_conftest(module: pytest.Module) -> list[pytest.Item | pytest.Collector]:
    """Return the suite of a conftest.py and its own `verify_` functions."""
    if module.obj is None or place_of(module) is None:
        return []
    own = fixture_called(module.obj, MODEL)
    named = named_of(module.config) is not None
    if not own and not named:
        return []
    named_so = [(name, f) for name, f in vars(module.obj).items() if name.startswith(VERIFY)]
    verify = [(name, _taken_in(f, module.config)) for name, f in named_so if _is_ours(name, f, module)]
    functions = [item for name, function in verify for item in functions_of(module, name, function)]
    return [*([] if named else [SuiteNode.from_parent(module, name=MODEL)]), *functions]


def planted(collector: pytest.Module | pytest.Class, name: str, obj: object) -> SuiteNode | None:
    """Return the suite for a module's or class's own `nav_model`; tell pytest of `verify_` functions that are ours."""
    if isinstance(obj, FIXTURE) and obj is fixture_called(collector.obj, MODEL):
        return SuiteNode.from_parent(collector, name=MODEL) if _is_tested(collector) else None
    if name.startswith(VERIFY) and place_of(collector) is not None:
        if _is_ours(name, obj, collector):
            _taken_in(obj, collector.config)
    elif reads_package(obj) and collector.istestfunction(obj, name) and place_of(collector) is not None:
        _given_model(obj, collector.config)
    return None


def _is_tested(collector: pytest.Module | pytest.Class) -> bool:
    """Whether the `nav_model` of a node is: beside `--nav-model`, only that one."""
    place = place_of(collector)
    return named_of(collector.config) is None or (place is not None and place.holders[0] is collector.obj)


def _taken_in(function: Any, config: pytest.Config) -> Any:
    """Have pytest collect a `verify_` function; with `nav_model` in its closure it has the model's parameters."""
    if "__test__" not in vars(function):
        function.__test__ = True
        _given_model(function, config)
        pytest.mark.nav_verify(function)
    return function


def _given_model(function: Any, config: pytest.Config) -> None:
    """Give a test of the user's the model's parameters, once; nothing is built for it before it is asked for."""
    if not any(mark.name == "usefixtures" and LOADER in mark.args for mark in getattr(function, "pytestmark", ())):
        named = named_of(config)
        own = [MODEL] if named is None else [SUITE] if len(named.places) > 1 else []
        pytest.mark.usefixtures(*own, LOADER)(function)


def is_verify(name: str, obj: object) -> bool:
    """Whether this is a function `verify_*` that asks for one of our fixtures."""
    return name.startswith(VERIFY) and bool(RUNNER_FIXTURES.intersection(_arguments(obj)))


def _is_ours(name: str, function: object, node: pytest.Collector) -> bool:
    """Whether a function `verify_*` is; it is an error if it is meant to be and asks for something else."""
    asked = _arguments(function)
    near = [each for each in asked if each.startswith("nav_") or get_close_matches(each, RUNNER_FIXTURES, cutoff=0.8)]
    if near and not RUNNER_FIXTURES.intersection(asked):
        node.config.stash[NOTES].note(
            f"{node.nodeid}::{name} asks for {near[0]!r} and would never run: a function verify_* is a test of a model "
            f"if it asks for one of {', '.join(sorted(RUNNER_FIXTURES))}"
        )
    return is_verify(name, function)


def _arguments(function: object) -> Collection[str]:
    return inspect.signature(function).parameters if inspect.isfunction(function) else ()


def reads_package(obj: object) -> bool:
    """Whether this is a function that asks for the package of the run."""
    return inspect.isfunction(obj) and "nav_package" in inspect.signature(obj).parameters


def function_of(fixture: Any) -> Any:
    """Return the function that a fixture is made of."""
    return fixture.__wrapped__


def nodeid_of(path: Path, config: pytest.Config) -> str:
    """Return how pytest writes a file: relative to the rootdir, if it is below it."""
    return path.relative_to(config.rootpath).as_posix() if path.is_relative_to(config.rootpath) else str(path)


def _default_name(holder: object, path: Path) -> str:
    """Return the class, the module or the folder that holds the fixture; of a folder of tests, the project's."""
    if inspect.isclass(holder):
        return holder.__name__
    folder = path.parent.parent if path.parent.name in OF_TESTS else path.parent
    return folder.name or path.parent.name if path.name == "conftest.py" else path.stem.removeprefix("test_")
