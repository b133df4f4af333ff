"""Where `nav_model` lives -> the node of its suite; which `verify_` functions are ours; their parameters."""

from __future__ import annotations

import inspect
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from pytest_navigator.plugin._compat import FIXTURE, ConftestModule, PlantedClass, fixture_called, functions_of
from pytest_navigator.plugin.places import (
    LOADER,
    MODEL,
    PIPELINE,
    PipelinePlace,
    Place,
    default_name,
    nodeid_of,
    where_it_began,
)
from pytest_navigator.plugin.suite import NavigatorSuite, PipelineSuite

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

SUITE = "nav_suite"  # The parameter of a `verify_` test that says which one of several named models it is of
# The hooks that are asked once, before anything is collected.
EXTENDING = ("pytest_nav_formats", "pytest_nav_runners", "pytest_nav_frameworks")
VERIFY = "verify_"
PIPELINE_RUNNER = "nav_pipeline_runner"
WHOLE, MIX = "test_pipeline", "nav_mix"  # The generated test of a whole pipeline, and its parameter
# Of the place of a model, and of a pipeline.
RUNNER_FIXTURES = {"nav_runner", "nav_source_runner", "nav_package", PIPELINE_RUNNER}


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


class PipelineNode(SuiteNode):
    """The generated tests of one `nav_pipeline`: of each of its modules, and of the whole."""

    planted = PipelineSuite


ONE_SUITE = "one place has one of them; move the other into a class, a module or a folder of its own"
# Of a `verify_` test, as it was collected: xdist adds its groups to an item's own.
NODEID = pytest.StashKey[str]()
PLACE = pytest.StashKey[Place | None]()  # Of a collector: what `place_of` has found for it


def visible_models(config: pytest.Config) -> list[tuple[str, str]]:
    """Return the conftests with a model or a pipeline that pytest has loaded, collected or not, and the fixtures."""
    conftests = [(Path(n), p) for n, p in config.pluginmanager.list_name_plugin() if Path(n).name == "conftest.py"]
    return [(nodeid_of(path, config), kind) for path, module in conftests for kind, _ in _defined_in(module)]


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
        if kind := _defined_in(obj):
            if len(kind) > 1:
                node.config.stash[NOTES].note(f"{nodeid} has {MODEL} and {PIPELINE}: {ONE_SUITE}")
            name, place = kind[0]
            called = default_name(obj, where_it_began(path, node.config))
            return place(f"{nodeid}::{name}", path, tuple(o for _, _, o in around[i:]), called)
    return None


def _defined_in(holder: object) -> list[tuple[str, type[Place]]]:
    """Return what of a model or a pipeline is defined in a module or class: the fixture's name, and its place."""
    kinds: dict[str, type[Place]] = {MODEL: Place, PIPELINE: PipelinePlace}
    return [(name, kind) for name, kind in kinds.items() if fixture_called(holder, name)]


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
    own = _defined_in(module.obj)
    named = named_of(module.config) is not None
    if not own and not named:
        return []
    named_so = [(name, f) for name, f in vars(module.obj).items() if name.startswith(VERIFY)]
    verify = [(name, _taken_in(f, module)) for name, f in named_so if _is_ours(name, f, module)]
    functions = [item for name, function in verify for item in functions_of(module, name, function)]
    return [*([] if named else [_suite_node(module, own[0][0])]), *functions]


def _suite_node(parent: pytest.Collector, name: str) -> SuiteNode:
    """Return the node of the suite of a fixture with this name."""
    node: SuiteNode = (PipelineNode if name == PIPELINE else SuiteNode).from_parent(parent, name=name)
    return node


def planted(collector: pytest.Module | pytest.Class, name: str, obj: object) -> SuiteNode | None:
    """Return the suite for a module's or class's own `nav_model`; tell pytest of `verify_` functions that are ours."""
    if isinstance(obj, FIXTURE):
        if isinstance(collector, SuiteNode):
            return None
        own = next((kind for kind, _ in _defined_in(collector.obj) if obj is fixture_called(collector.obj, kind)), None)
        return _suite_node(collector, own) if own and _is_tested(collector) else None
    if name.startswith(VERIFY) and place_of(collector) is not None:
        if _is_ours(name, obj, collector):
            _taken_in(obj, collector)
    elif reads_package(obj) and collector.istestfunction(obj, name) and place_of(collector) is not None:
        if isinstance(place_of(collector), PipelinePlace):
            _note_useless(f"{collector.nodeid}::{name}", "nav_package", collector)
        _given_model(obj, collector)
    return None


def _is_tested(collector: pytest.Module | pytest.Class) -> bool:
    """Whether the `nav_model` of a node is: beside `--nav-model`, only that one."""
    place = place_of(collector)
    return named_of(collector.config) is None or (place is not None and place.holders[0] is collector.obj)


def _taken_in(function: Any, node: pytest.Collector) -> Any:
    """Have pytest collect a `verify_` function; with `nav_model` in its closure it has the model's parameters."""
    if "__test__" not in vars(function):
        function.__test__ = True
        _given_model(function, node)
        pytest.mark.nav_verify(function)
    return function


def _given_model(function: Any, node: pytest.Collector) -> None:
    """Give a test of the user's the model's parameters, once; nothing is built for it before it is asked for."""
    if not any(mark.name == "usefixtures" and LOADER in mark.args for mark in getattr(function, "pytestmark", ())):
        named = named_of(node.config)
        theirs = [PIPELINE if isinstance(place_of(node), PipelinePlace) else MODEL]
        own = theirs if named is None else [SUITE] if len(named.places) > 1 else []
        pytest.mark.usefixtures(*own, LOADER)(function)


def is_verify(name: str, obj: object) -> bool:
    """Whether this is a function `verify_*` that asks for one of our fixtures."""
    return name.startswith(VERIFY) and bool(RUNNER_FIXTURES.intersection(_arguments(obj)))


def is_whole(item: object) -> bool:
    """Whether an item is a test of a whole pipeline: a generated one, or one of the user's."""
    return isinstance(item, pytest.Function) and not {MIX, PIPELINE_RUNNER}.isdisjoint(item.fixturenames)


def _is_ours(name: str, function: object, node: pytest.Collector) -> bool:
    """Whether a function `verify_*` is; it is an error if it is meant to be and asks for something else."""
    asked, known = _arguments(function), _runner_fixtures(node)
    if PIPELINE_RUNNER in asked and named_of(node.config) is not None:
        return False  # of a pipeline, which is not tested beside a model that is named
    near = [each for each in asked if each.startswith("nav_") or get_close_matches(each, RUNNER_FIXTURES, cutoff=0.8)]
    strange = [each for each in near if each in RUNNER_FIXTURES - known]
    if strange or (near and not known.intersection(asked)):
        _note_useless(f"{node.nodeid}::{name}", (strange or near)[0], node)
    return is_verify(name, function)


def _runner_fixtures(node: pytest.Collector) -> set[str]:
    """Return those that a test may ask for where it stands."""
    of_pipeline = {PIPELINE_RUNNER}
    return of_pipeline if isinstance(place_of(node), PipelinePlace) else RUNNER_FIXTURES - of_pipeline


def _note_useless(test: str, asked: str, node: pytest.Collector) -> None:
    """Keep a usage error: a test that would never run, or could not."""
    whole = isinstance(place_of(node), PipelinePlace)
    what, known = "pipeline" if whole else "model", ", ".join(sorted(_runner_fixtures(node)))
    node.config.stash[NOTES].note(
        f"{test} asks for {asked!r} and would never run: a function verify_* is a test of a {what} "
        f"if it asks for {'' if whole else 'one of '}{known}"
    )


def _arguments(function: object) -> Collection[str]:
    return inspect.signature(function).parameters if inspect.isfunction(function) else ()


def reads_package(obj: object) -> bool:
    """Whether this is a function that asks for the package of the run."""
    return inspect.isfunction(obj) and "nav_package" in inspect.signature(obj).parameters
