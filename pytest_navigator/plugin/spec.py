"""What `--nav-model=SPEC` means: a file, or a function that is called for the model."""

from __future__ import annotations

import ast
import importlib
import os
import re
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_navigator.backends.exchange.savedmodel import SAVED_MODEL
from pytest_navigator.backends.files.kinds import PACKAGE, format_of, title
from pytest_navigator.errors import ConfigError, SourceError, unknown
from pytest_navigator.isolation.causes import error_line

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec

    from pytest_navigator.package.source import PackageSource

FUNCTION = re.compile(r"(?P<module>[^\W\d]\w*(\.[^\W\d]\w*)*):(?P<function>[^\W\d]\w*(\.[^\W\d]\w*)*)")
MODEL_OPTION = "--nav-model"
LOADER_OPTION = "--nav-dataloader"


@dataclass(frozen=True)
class Spec:
    """A model that is named on the command line.

    Attributes:
        text: as the user wrote it.
        path: the file or folder of the model, or the file of the function.
    """

    text: str
    path: Path

    @property
    def framework(self) -> str:
        """The name of the framework, "" where only the code tells it."""
        return ""

    @property
    def name(self) -> str:
        """What the suite is called."""
        return self.path.stem

    @property
    def part(self) -> str:
        """What of the file it is, in node ids; "" for the whole."""
        return ""

    @property
    def title(self) -> str:
        """What people call such a file."""
        return title(self.framework)

    @property
    def file(self) -> Path:
        """The file that pytest collects: it takes no test in a folder."""
        return self.path

    @property
    def line(self) -> int:
        """The line of the model's definition, from 0."""
        return 0

    def model(self) -> object:
        """Return the model itself; a path stands for a file.

        Raises:
            SourceError: the code that makes it cannot be run.
        """
        return self.path


@dataclass(frozen=True)
class FileSpec(Spec):
    """A file, or the folder of a SavedModel or an IR."""

    format: str

    @property
    def file(self) -> Path:
        """The file itself; of a folder, the one that makes it a model."""
        inside = (path for name in (*SAVED_MODEL, "*.xml") for path in sorted(self.path.glob(name)))
        return next((path for path in inside if path.is_file()), self.path)

    @property
    def framework(self) -> str:
        """The format: what runs a file is told by nothing else."""
        return self.format


@dataclass(frozen=True)
class PackageSpec(Spec):
    """A package: what it holds is checked again."""

    @property
    def framework(self) -> str:
        """The framework of the model that the package was made from."""
        return self.package.suite.framework

    @property
    def name(self) -> str:
        """What the suite was called."""
        return self.package.suite.name

    @property
    def title(self) -> str:
        """What people call such a file."""
        return f"a package made from {self.framework}"

    @cached_property
    def package(self) -> PackageSource:
        """What the package says.

        Raises:
            PackageError: it is truncated, another's, or holds nothing to check.
        """
        from pytest_navigator.package.source import read_package

        return read_package(self.path)


@dataclass(frozen=True)
class FunctionSpec(Spec):
    """A function in a module, `my_pkg.models:build`."""

    module: str
    function: str
    option: str = MODEL_OPTION

    @property
    def name(self) -> str:
        """The name of the function."""
        return self.function.rpartition(".")[2]

    @property
    def part(self) -> str:
        """The function: other models may come from the same file."""
        return self.function

    @property
    def line(self) -> int:
        """The line of the function, 0 where it is not defined with `def` in this module."""
        return self._definition.lineno - 1 if self._definition else 0

    @property
    def annotation(self) -> str:
        """The return annotation as text, "" without one."""
        returns = self._definition.returns if self._definition else None
        if isinstance(returns, ast.Constant):
            return str(returns.value)
        return ast.unparse(returns) if returns else ""

    def model(self) -> object:
        """Import the module, call the function (once) and return what it returns.

        Raises:
            SourceError: the module or the function is not there, raised, or returned nothing.
        """
        return self._built

    @cached_property
    def _built(self) -> object:
        function = self.loaded()
        if not callable(function):
            raise SourceError(f"{self.option}={self.text} is a {type(function).__name__}, which cannot be called")
        try:
            model = function()
        except Exception as error:
            raise SourceError(f"{self.option}={self.text} raised {error_line(error)}") from error
        if model is None:
            raise SourceError(f"{self.option}={self.text} returned None: return the model")
        return model

    def loaded(self) -> object:
        """Import the module and return what the name stands for.

        Raises:
            SourceError: the module cannot be imported, or does not have it.
        """
        try:
            found: object = importlib.import_module(self.module)
        except Exception as error:
            raised = f"importing {self.module} raised {error_line(error)}"
            raise SourceError(f"{self.option}={self.text}: {raised}") from error
        for part in self.function.split("."):
            if not hasattr(found, part):
                raise SourceError(f"{self.option}={self.text}: {unknown('name', part, _public(found))}")
            found = getattr(found, part)
        return found

    @cached_property
    def _definition(self) -> ast.FunctionDef | None:
        tree = ast.parse(self.path.read_text(encoding="utf-8"))
        found = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == self.function]
        return found[-1] if found else None


def model_spec(text: str, folder: Path, python_path: Sequence[str], named_format: str | None = None) -> Spec:
    """Return what `--nav-model=text` means. Nothing is imported.

    Args:
        folder: what a relative path starts from.
        python_path: folders in which modules are looked for before `sys.path`.
        named_format: of the file, as the user says.

    Raises:
        ConfigError: there is no such file, it is no model, or there is no such module.
    """
    path = Path(os.path.abspath(folder / text))
    if not path.exists() and (found := FUNCTION.fullmatch(text)):
        return function_spec(found.string, python_path)
    if not path.exists():
        raise ConfigError(
            f"{MODEL_OPTION}={text}: there is no file {path}; for a function write module:function, like "
            f"{MODEL_OPTION}=my_pkg.models:build"
        )
    try:
        found_format = format_of(path, named_format)
    except ConfigError as error:
        raise ConfigError(f"{MODEL_OPTION}={text}: {error}") from None
    if found_format == PACKAGE:
        return PackageSpec(text, path)
    return FileSpec(text, path, found_format)


def is_function(text: str) -> bool:
    """Whether a text names a function, and not a file."""
    return FUNCTION.fullmatch(text) is not None


def function_spec(text: str, python_path: Sequence[str], option: str = MODEL_OPTION) -> FunctionSpec:
    """Return what `module:function` means. Nothing is imported.

    Raises:
        ConfigError: it has another form, or there is no such module.
    """
    found = FUNCTION.fullmatch(text)
    if found is None:
        raise ConfigError(f"{option}={text}: write module:function, like {option}=my_pkg.models:build")
    origin = module_file(found["module"], python_path)
    if origin is None:
        raise ConfigError(f"{option}={text}: there is no module {found['module']!r} (looked in {_places(python_path)})")
    _check_syntax(text, origin, option)
    return FunctionSpec(text, origin, found["module"], found["function"], option)


def module_file(name: str, python_path: Sequence[str]) -> Path | None:
    """Return the file of a module without importing it or the packages that it is in; None if there is none."""
    path: Sequence[str] | None = [*python_path, *sys.path]
    spec: ModuleSpec | None = None
    parts = name.split(".")
    for i in range(len(parts)):
        if i and spec is not None:
            path = spec.submodule_search_locations
        spec = _found(".".join(parts[: i + 1]), path) if path is not None else None
        if spec is None:
            return None
    return Path(spec.origin) if spec is not None and spec.origin and Path(spec.origin).is_file() else None


def _found(name: str, path: Sequence[str] | None) -> ModuleSpec | None:
    """Ask every finder, as an import would: editable installations have their own."""
    for finder in sys.meta_path:
        spec = finder.find_spec(name, path)
        if spec is not None:
            return spec
    return None


def _check_syntax(text: str, origin: Path, option: str) -> None:
    try:
        ast.parse(origin.read_text(encoding="utf-8"))
    except (SyntaxError, ValueError) as error:
        raise ConfigError(f"{option}={text}: {origin} is no Python: {error_line(error)}") from None


def _places(python_path: Sequence[str]) -> str:
    return ", ".join([*python_path, "the installed packages"])


def _public(value: object) -> list[str]:
    return [name for name in dir(value) if not name.startswith("_")]
