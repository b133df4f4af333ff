"""Models that are named on the command line: where their suites are, and what is not tested because of them."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from fnmatch import fnmatch
from functools import cached_property
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from pytest_navigator.configuration.config import NavConfig
from pytest_navigator.errors import ConfigError
from pytest_navigator.plugin._compat import PlantedModule, collect_too, fixture_called, load_conftests
from pytest_navigator.plugin.collection import NAMED, SUITE, conftests_of, holders, visible_models
from pytest_navigator.plugin.detection import framework_of
from pytest_navigator.plugin.huggingface import PREFIX, HuggingFaceSpec, huggingface_spec
from pytest_navigator.plugin.options import NEEDS_MODEL
from pytest_navigator.plugin.places import LOADER, MODEL, Place, nodeid_of
from pytest_navigator.plugin.spec import (
    LOADER_OPTION,
    MODEL_OPTION,
    FunctionSpec,
    PackageSpec,
    Spec,
    function_spec,
    is_function,
    model_spec,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pytest_navigator.configuration.nav_config_file import FileConfig
    from pytest_navigator.formats.registry import Registry
    from pytest_navigator.package.source import PackageSource

# Those that say how it is called, and with what.
OF_FILES = ("nav_dataloader", "nav_config", "nav_inputs", "nav_outputs")


@dataclass(frozen=True)
class NamedPlace(Place):
    """The place of a model that is named on the command line: its own file."""

    spec: Spec
    models: NamedModels

    @property
    def nav_config(self) -> object:
        """What `--nav-config` or the package says, else the nearest `nav_config` that is not another model's."""
        if self.models.config.path or self.package:
            return self._given
        return self._decoding if self._decodes else self._own

    @property
    def _own(self) -> object:
        own = [holder for holder in self.holders if not fixture_called(holder, MODEL)]
        return next((vars(holder)["nav_config"] for holder in own if "nav_config" in vars(holder)), None)

    @property
    def _decodes(self) -> int | None:
        """The decoding steps that the samples are which come with a model of transformers; None: of no others."""
        given = self.models.loader is not None or _loader_among(self.holders) is not None
        return self.spec.decoding if isinstance(self.spec, HuggingFaceSpec) and not given else None

    @property
    def compiles_by_name_only(self) -> bool:
        """A decoder is compiled anew for the lengths of its steps, which takes minutes."""
        return self._decodes is not None

    @cached_property
    def _decoding(self) -> object:
        """The user's configuration, the same object every time, with what the samples are."""
        config = self._own if self._own is not None else NavConfig()
        return config.replace(decoding=self._decodes) if isinstance(config, NavConfig) else config

    @property
    def framework(self) -> str:
        """What the file is, or `--nav-framework`."""
        return self.models.framework or self.spec.framework

    @property
    def package(self) -> PackageSource | None:
        """The package, if the file is one."""
        return self.spec.package if isinstance(self.spec, PackageSpec) else None

    @property
    def advice(self) -> str:
        """How to say what a function returns."""
        return "annotate the function (def build() -> torch.nn.Module) or say it: --nav-framework=NAME"

    @property
    def source(self) -> Path:
        """The file of the model or of the function."""
        return self.spec.file

    @cached_property
    def line(self) -> int:
        """The line of the function, from 0."""
        return self.spec.line

    @cached_property
    def _given(self) -> NavConfig:
        """The same object every time: what follows from it is made once."""
        if self.package:
            return self.package.config().replace(interpreters=self.models.config.interpreters)
        registry = self.models.registry
        framework = framework_of(self, None, registry)
        possible = registry.formats.marked(framework)
        return self.models.config.nav_config(possible).replace(decoding=self._decodes)


@dataclass(eq=False)
class NamedModels:
    """What `--nav-model` and the options beside it say, and what was collected because of it.

    Attributes:
        places: in the order of the models, from when the collection begins.
        modules: what is collected of each file.
    """

    specs: tuple[Spec, ...]
    loader: FunctionSpec | None
    config: FileConfig
    framework: str
    registry: Registry
    places: list[NamedPlace] = field(default_factory=list)
    modules: dict[Path, ModuleType] = field(default_factory=dict)
    _path: list[str] = field(default_factory=list)
    _opened: set[Path] = field(default_factory=set)

    def start(self, config: pytest.Config) -> None:
        """Have pytest collect the files, and Python find the modules."""
        config.stash[NAMED] = self
        collect_too(config, list(dict.fromkeys(spec.file for spec in self.specs)))
        if any(isinstance(spec, FunctionSpec) for spec in (*self.specs, self.loader)):
            self._path = [folder for folder in python_path(config) if folder not in sys.path]
            sys.path[:0] = self._path

    def locate(self, config: pytest.Config) -> None:
        """Tell the places before anything is collected: a `verify_` test may come before its model's file."""
        for spec in self.specs:
            load_conftests(config, spec.file)
            module = self.modules.setdefault(spec.file, ModuleType(MODEL))
            around = (_holder(spec, module), *(conftest for _, _, conftest in conftests_of(spec.file, config)))
            nodeid = "::".join(filter(None, (nodeid_of(spec.file, config), spec.part, MODEL)))
            self.places.append(NamedPlace(nodeid, spec.file, around, spec.name, spec, self))

    def end(self) -> None:
        """Leave Python's path as it was."""
        for folder in self._path:
            sys.path.remove(folder)

    def collect(self, path: Path, parent: pytest.Collector) -> PlantedModule | None:
        """Return the node of a file that is named, in which pytest itself collects the suite; None for any other."""
        module = self.modules.get(path)
        return PlantedModule.planted_at(path, parent, module) if module is not None else None

    def ignored(self, path: Path, config: pytest.Config) -> bool | None:
        """Return False for a named file and the folders that lead to it, True for what else is in a skipped one."""
        if any(spec.file.is_relative_to(path) for spec in self.specs):
            if any(fnmatch(path.name, pattern) for pattern in config.getini("norecursedirs")):
                self._opened.add(path)
            return False
        return True if self._opened.intersection(path.parents) else None

    def place_of(self, node: pytest.Item | pytest.Collector) -> NamedPlace | None:
        """Return the place of a generated test; of a `verify_` test, that of its parameter, else the first one."""
        if node.getparent(PlantedModule) is not None:
            around = [above.obj for above in node.listchain() if isinstance(above, (pytest.Module, pytest.Class))]
            return next((place for place in self.places if place.holders[0] in around), None)
        callspec = getattr(node, "callspec", None)
        chosen: NamedPlace | None = callspec.params.get(SUITE) if callspec else None
        return chosen or next(iter(self.places), None)

    def ids(self) -> list[str]:
        """Return what tells the models apart in the ids of `verify_` tests: their names, else what the user wrote."""
        names = [spec.name for spec in self.specs]
        return names if len(set(names)) == len(names) else [spec.text for spec in self.specs]

    def check_loader(self, item: pytest.Item) -> None:
        """Find a `verify_` test that sees another loader than its model's file.

        Raises:
            ConfigError: with what to write.
        """
        place = self.place_of(item)
        if self.loader is not None or place is None or item.getparent(PlantedModule) is not None:
            return
        own, seen = (_loader_among(all) for all in (place.holders, [holder for _, _, holder in holders(item)]))
        if own is not seen:
            raise ConfigError(
                f"{item.nodeid.partition('[')[0]} does not see the nav_dataloader that {place.nodeid} sees: move it "
                f"into a conftest.py above both, or name it, {LOADER_OPTION}=module:function"
            )

    def notes(self, config: pytest.Config) -> list[str]:
        """Say which `nav_model` was not tested."""
        tested = ", ".join(f"{MODEL_OPTION}={spec.text}" for spec in self.specs)
        return [f"note: {kind} of {place} was not tested: {tested} was" for place, kind in visible_models(config)]


def named_models(config: pytest.Config, registry: Registry, file_config: FileConfig) -> NamedModels | None:
    """Read the options; None without a model.

    Raises:
        ConfigError: one of them is wrong, or needs another.
    """
    get = config.getoption
    texts = get(MODEL) or _named_in(file_config)
    if not texts:
        _check_needless(config)
        return None
    folder, path = config.invocation_params.dir, python_path(config)
    named_format = get("nav_model_format") or file_config.model_format
    specs = tuple(
        huggingface_spec(text, folder) if text.startswith(PREFIX) else model_spec(text, folder, path, named_format)
        for text in texts
    )
    framework = registry.framework(get("nav_framework")).name if get("nav_framework") else ""
    _check(specs, framework, registry)
    loader = function_spec(get(LOADER), path, LOADER_OPTION) if get(LOADER) else None
    _check_packages(config, specs)
    return NamedModels(specs, loader, file_config, framework, registry)


def _named_in(file_config: FileConfig) -> list[str]:
    """Return the model that a configuration file names, a file: what data names is not imported."""
    text = file_config.model_path
    if text and is_function(text):
        raise ConfigError(
            f"{file_config.path}: model_path: {text!r} is a function; it takes the path of a file, a function is named "
            f"with {MODEL_OPTION}={text}"
        )
    return [text] if text else []


def python_path(config: pytest.Config) -> list[str]:
    """Return where the user's own modules are."""
    return list(dict.fromkeys(map(str, (config.invocation_params.dir, config.rootpath))))


def _loader_among(around: Iterable[object]) -> object:
    return next((holder for holder in around if fixture_called(holder, LOADER)), None)


def _check_needless(config: pytest.Config) -> None:
    for name in NEEDS_MODEL:
        if config.getoption(name):
            flag = f"--{name.replace('_', '-')}"
            raise ConfigError(f"{flag}={config.getoption(name)} is of no use without {MODEL_OPTION}=SPEC")


def _check_packages(config: pytest.Config, specs: tuple[Spec, ...]) -> None:
    """Refuse what says how a model is to be called: a package has its samples and settings."""
    for spec in specs:
        for name in OF_FILES if isinstance(spec, PackageSpec) else ():
            if config.getoption(name):
                flag = f"--{name.replace('_', '-')}"
                raise ConfigError(f"{flag} is of no use beside {MODEL_OPTION}={spec.text}: a package brings its own")


def _check(specs: tuple[Spec, ...], framework: str, registry: Registry) -> None:
    models = [(spec.path, spec.part) for spec in specs]
    for spec in specs:
        if models.count((spec.path, spec.part)) > 1:
            what = f"{spec.part} of {spec.path}" if spec.part else spec.path
            raise ConfigError(f"{MODEL_OPTION}: {what} is named twice: leave one of them out")
        what = f"{MODEL_OPTION}={spec.text}: {spec.path.name} is {spec.title}"
        if spec.framework and spec.framework not in registry.frameworks:
            raise ConfigError(f"{what}, which nothing here can run")
        if spec.framework and framework not in ("", spec.framework):
            raise ConfigError(f"{what}, not of the framework {framework!r}: leave --nav-framework out")


def _holder(spec: Spec, module: ModuleType) -> object:
    """Put the model's fixture into the module of its file, and return what holds it: a class for a part of the file.

    Nothing is imported or called before a step asks for the model.
    """

    # In the class of a part of a file, pytest passes the instance.
    def nav_model(*_instance: object) -> Any:
        return spec.model()

    nav_model.__annotations__["return"] = getattr(spec, "annotation", "")
    fixture = pytest.fixture(scope="session")(nav_model)
    if not spec.part:
        setattr(module, MODEL, fixture)
        return module
    holder = type(spec.part, (), {MODEL: fixture})
    setattr(module, spec.part, holder)
    return holder
