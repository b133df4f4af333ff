"""The only place, beside `_bytecode`, that knows what pytest does not document, each with the reason."""

from __future__ import annotations

import inspect
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from _pytest.python import PyCollector  # what a Module does, without the fixtures

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Self

# The class of a fixture definition is not exported (pytest >= 8.4): isinstance on it is how to tell a fixture.
FIXTURE = type(pytest.fixture(lambda: None))


def fixture_called(holder: object, name: str) -> Any:
    """Return the fixture that a module or class defines as `name`, by its own name or the decorator's; else None.

    pytest has no question "who defines this" before an item exists.
    """
    spaces = holder.__mro__ if isinstance(holder, type) else (holder,)
    found = ((key, obj) for space in spaces for key, obj in vars(space).items() if isinstance(obj, FIXTURE))
    # Without a name of the decorator's it is the attribute's, whatever the function is called.
    return next((obj for key, obj in found if (obj._fixture_function_marker.name or key) == name), None)


def has_params(fixture: Any) -> bool:
    """Whether a fixture is parametrized itself; pytest tells it of an item only."""
    return bool(fixture._fixture_function_marker.params)


class PlantedClass(pytest.Class):
    """A class node whose class does not stand in the user's module.

    `_getobj` is not documented API, though its docstring invites overriding it.
    """

    planted: type

    def _getobj(self) -> type:
        return self.planted

    def funcnamefilter(self, name: str) -> bool:
        """Collect our tests, whatever the user's `python_functions` says."""
        return name.startswith("test_")

    def _genfunctions(self, name: str, funcobj: object) -> Iterator[pytest.Function]:
        with _hook_once(self):
            # A list: what pytest returns is a generator, which would run when the hook is seen again.
            return iter(list(super()._genfunctions(name, funcobj)))


class ConftestModule(pytest.Module):
    """A conftest.py, collected for its `nav_model`; its fixtures are registered already.

    It must be a Module (a module-scoped `nav_model` needs one), and must not call `Module.collect`, which would
    register the fixtures a second time: a model of session scope would be built twice.
    """

    planted: Callable[[pytest.Module], Iterable[pytest.Item | pytest.Collector]]
    """Returns what is collected of a file whose tests are not."""

    with_tests = False
    """Whether pytest would collect the file's tests: it was named outright, or `python_files` matches it."""

    def _getobj(self) -> Any:
        return self.config.pluginmanager.get_plugin(str(self.path))

    def collect(self) -> Iterable[pytest.Item | pytest.Collector]:
        """Return what the plugin plants here, and the file's tests."""
        return PyCollector.collect(self) if self.with_tests else self.planted(self)

    def _genfunctions(self, name: str, funcobj: object) -> Iterator[pytest.Function]:
        with _hook_once(self):
            # A list: what pytest returns is a generator, which would run when the hook is seen again.
            return iter(list(super()._genfunctions(name, funcobj)))


@contextmanager
def _hook_once(node: pytest.Collector) -> Iterator[None]:
    """Hide the `pytest_generate_tests` of a conftest.py from pytest while it parametrizes what is collected there.

    pytest calls it as a plugin's already, and again as the module's: the second time is a duplicate parametrization.
    """
    module = node.getparent(ConftestModule)
    held = vars(module.obj) if module is not None else {}
    hook = held.pop("pytest_generate_tests", None)
    try:
        yield
    finally:
        if hook is not None:
            held["pytest_generate_tests"] = hook


class PlantedModule(pytest.Module):
    """A module node of a file that is not imported: what would be in it is made.

    Its file (a model, or the folder of one) may be anywhere; the node id of one outside of the rootdir is its path,
    which pytest would leave out. VS Code's plugin cuts the id of a parametrized test at ".py", and without one shows no
    test of anybody's; it takes the file from the node's path, and the rest of the id as it is.
    """

    content: object

    def classnamefilter(self, name: str) -> bool:
        """Collect what is planted, whatever the user's `python_classes` says."""
        return True

    @classmethod
    def planted_at(cls, path: Path, parent: pytest.Collector, content: object) -> Self:
        """Return the node of a file."""
        root = parent.config.rootpath
        inside = path.is_relative_to(root)
        text = path.relative_to(root).as_posix() if inside else str(path)
        cut = parent.config.pluginmanager.hasplugin("vscode_pytest") and ".py" not in text
        own: dict[str, Any] = {"nodeid": _nodeid_of(f"{text}.py" if cut else text)} if cut or not inside else {}
        node: Self = cls.from_parent(parent, path=path, **own)
        node.content = content
        return node

    def _getobj(self) -> Any:
        return self.content


def _nodeid_of(path: str) -> object:
    try:
        from _pytest.nodeid import NodeId  # pytest 9.2
    except ImportError:
        return path
    return NodeId(path=path)


def collect_too(config: pytest.Config, paths: Iterable[Path]) -> None:
    """Add files to the arguments; they are the only ones if the user gave none.

    An argument that names one of them, a test in it or a folder above it stands for it: of a folder and a file in it,
    pytest 8 collects the file alone.
    """
    given = list(config.args) if config.args_source is config.ArgsSource.ARGS else []
    named = [Path(os.path.abspath(argument.partition("::")[0])) for argument in given]
    new = [path for path in paths if not any(path.is_relative_to(place) for place in named)]
    config.args = [*given, *map(str, new)]


def ini_value(config: pytest.Config, name: str) -> Any:
    """Return what the configuration file says with the type that it has there; None if it says nothing.

    `getini` knows one type for an option: of the table that has TOML's types it refuses a list or a number for a text
    (with a traceback, until 9.2), of the other it warns of a list.
    """
    if not hasattr(config, "_inicfg"):  # pytest 8
        return config.getini(name)
    found = config._inicfg.get(name)
    return getattr(found, "value", found)


def import_no_packages(item: pytest.Item) -> None:
    """Keep pytest from importing the packages around the file of a model.

    The file may lie in anybody's package (`site-packages/x/models`), whose import is slow, needs what is not installed,
    or fails; `Package.setup` imports it for whatever is collected below.
    """
    if item.getparent(PlantedModule) is not None:
        for node in item.listchain():
            if isinstance(node, pytest.Package):
                node.setup = _nothing  # type: ignore[method-assign]


def _nothing() -> None:
    pass


def worker_pid(node: Any) -> int | None:
    """Return the process of an xdist worker; None of one on another machine. What a worker tells of itself lacks it."""
    process = getattr(node.gateway._io, "popen", None)
    return process.pid if process is not None and node.gateway.spec.popen else None


def load_conftests(config: pytest.Config, path: Path) -> None:
    """Load the conftests above a file, as pytest does it when it collects the folders."""
    config.pluginmanager._loadconftestmodules(
        path,
        config.getoption("importmode"),
        config.rootpath,
        consider_namespace_packages=config.getini("consider_namespace_packages"),
    )


def fixtures_asked_for(item: pytest.Function) -> set[str]:
    """Return the fixtures of an item's own signature, its marks and its autouse ones, without what those need.

    The closure (`item.fixturenames`) is public, which part of it was asked for directly is not.
    """
    return set(item._fixtureinfo.initialnames)


def class_setups(item: pytest.Function) -> set[str]:
    """Return the fixtures that call the `setup_class` and `setup_method` of the classes around an item.

    pytest makes autouse fixtures of these methods; their names are not documented. It would call them on an instance of
    our own class, which does not have them.
    """
    kinds = ("_xunit_setup_class_fixture_", "_xunit_setup_method_fixture_")
    return {name for name in item.fixturenames if name.startswith(kinds)}


def closure_of(item: pytest.Function, fixture: str) -> set[str]:
    """Return a fixture and everything that it needs, as seen from an item.

    pytest documents only the closure of the whole item.
    """
    definitions = item._fixtureinfo.name2fixturedefs
    found, pending = set(), [fixture]
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending += [arg for d in definitions.get(name, ()) for arg in d.argnames]
    return found


def item_of(request: pytest.FixtureRequest) -> pytest.Function:
    """Return the item for which a fixture is set up; `request.node` is the session for one of session scope."""
    item: pytest.Function = request._pyfuncitem
    return item


def ids_of(item: pytest.Function) -> list[str]:
    """Return the parts of an item's id, one for each parametrization; only their joined text is public."""
    return list(item.callspec._idlist)


def functions_of(module: pytest.Module, name: str, function: object) -> Iterable[pytest.Item]:
    """Return the parametrized items of a function; pytest offers it for modules that it collects itself only."""
    return module._genfunctions(name, function)


def direct_names(function: Any) -> set[str]:
    """Return the names of a function's own parameters."""
    return set(inspect.signature(function).parameters)


def outlive(config: pytest.Config, told: Callable[[Any, Exception, bool], None]) -> None:
    """Have pytest-xdist go on without a host that it cannot start a worker on again: its error would end the run.

    The run ends where no host is left, or where one has not collected yet, for xdist would wait for that for ever. And
    where a host's first worker cannot begin: without `-n` there is no limit to how often xdist would try again.

    Args:
        told: called with the node, the error, and whether the run ends.
    """
    session = config.pluginmanager.getplugin("dsession")
    clone = session._clone_node

    def cloned(node: Any) -> object:
        try:
            if session._max_worker_restart is None and not hasattr(node, "workerinfo"):
                raise OSError("pytest cannot begin there")
            return clone(node)
        except Exception as error:  # execnet's own, and whatever a connection can raise
            # The one that has died is still among the active ones.
            ends = len(session._active_nodes) < 2 or not session.sched.collection_is_completed
            told(node, error, ends)
            if ends:
                session.shouldstop = f"a host is lost: {node.gateway.spec}"
            return None

    session._clone_node = cloned


def allow_crashes(config: pytest.Config, count: int) -> None:
    """Have pytest-xdist replace a worker for each of `count` tests that may crash one, unless the user has a limit.

    Its own default of 4 a worker is meant for workers that die before they run anything; there is no option for this.
    """
    session = config.pluginmanager.getplugin("dsession")
    if session is not None and config.option.maxworkerrestart is None and session._max_worker_restart is not None:
        session._max_worker_restart = 4 * config.option.numprocesses + count
