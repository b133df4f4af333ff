"""A bundle: a `.nav` file with the packages of a pipeline's modules, what was chosen of each, and where that runs.

The container is that of a package: digests of all files, checked before anything is handed out. What it holds are
packages as they are, so that nothing in a bundle is trusted more than in a package.
"""

from __future__ import annotations

import re
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, ClassVar

import yaml
from cattrs import BaseValidationError

from pytest_navigator.core import bounded_yaml
from pytest_navigator.devices.built_with import BuiltWith  # noqa: TC001  # cattrs reads annotations
from pytest_navigator.errors import PackageError
from pytest_navigator.package.container.checked import CheckedFile, opened
from pytest_navigator.package.container.reader import open_package
from pytest_navigator.package.layout import schema
from pytest_navigator.package.zip.archive import BUNDLE, STATUS
from pytest_navigator.package.zip.safety import TAMPERED, Limits
from pytest_navigator.pipelines.choice import Choice  # noqa: TC001

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_navigator.package.container.reader import PackageFile

FORMAT_VERSION = "1.0"
MOST_VALUES = 200_000  # In a bundle.yaml: a module has some dozen
FINGERPRINT = re.compile(r"[0-9a-f]{64}")  # It becomes the name of a folder
TAGS = "tags.yaml"  # In a bundle of Model Navigator, which has no head
WRITER = "nav.bundle.save('{path}'), or pytest --nav-package={path} of a nav_pipeline,"

NO_BUNDLE = {
    STATUS: "is the package of one model, no bundle: nav.load opens it",
    TAGS: "is a bundle of Model Navigator, which holds pickled files: optimize the pipeline here and save it again",
}


@dataclass(frozen=True)
class Platform:
    """Where something runs: `platform.system()` and `platform.machine()`."""

    system: str
    machine: str

    def __str__(self) -> str:
        """Return both."""
        return f"{self.system} {self.machine}"


@dataclass(frozen=True)
class Engine:
    """An artifact that is bound to where it was built.

    Attributes:
        graph: whose it is; format: its key in the package ("trt-fp16"); kind: its format ("trt").
        built_with: of each artifact of this format in the package: a merged one has several.
    """

    graph: str
    format: str
    kind: str
    built_with: list[BuiltWith]


@dataclass(frozen=True)
class BundledModule:
    """What became of one module.

    Attributes:
        changing: names of what calls change in it, see `fingerprint.changing`.
        choices: of its graphs; their packages are names in the bundle.
        engines: what was chosen that is bound.
    """

    name: str
    fingerprint: str
    choices: list[Choice]
    changing: list[str] = field(default_factory=list)
    engines: list[Engine] = field(default_factory=list)


@dataclass(frozen=True)
class Manifest:
    """`bundle.yaml`.

    Attributes:
        format_version: of the bundle; version: of this project that wrote it.
        files: name -> SHA-256 of every other file.
    """

    format_version: str
    version: str
    platform: Platform
    tags: list[str]
    modules: list[BundledModule]
    files: dict[str, str]

    @property
    def choices(self) -> list[Choice]:
        """Those of all modules."""
        return [choice for module in self.modules for choice in module.choices]


class BundleFile(CheckedFile):
    """An open bundle, as a context manager. Made by `open_bundle`.

    Attributes:
        manifest: what it says.
    """

    head: ClassVar[str] = BUNDLE

    def __init__(self, path: Path, archive: zipfile.ZipFile, limits: Limits) -> None:
        super().__init__(path, archive, limits)
        content = self._read_head()
        try:
            self.manifest = _parsed(content)
        except ValueError as error:
            raise PackageError(f"{path}: {BUNDLE}: {error}") from error
        self._set_digests(self.manifest.files)
        # A package that is compressed once more could unpack to the square of what either of both may.
        if squeezed := next((n for n, info in self._names.items() if info.compress_type != zipfile.ZIP_STORED), ""):
            raise PackageError(f"{path}: {squeezed!r} is compressed, which no bundle is; {TAMPERED}")

    @contextmanager
    def package(self, name: str) -> Iterator[PackageFile]:
        """Open a package of the bundle, extracted into a temporary folder.

        Raises:
            PackageError: it is damaged, or no package.
        """
        with TemporaryDirectory(prefix="pytest_navigator.") as folder:
            (path,) = self.extract([name], Path(folder))
            try:
                with open_package(path) as package:
                    yield package
            except PackageError as error:
                raise PackageError(str(error).replace(str(path), f"{self.path}: {name}")) from error

    def damaged_packages(self) -> list[str]:
        """Read every file of every package, and return the problem of each that is not what was packed."""
        return self.examined()[0]

    def examined(self) -> tuple[list[str], int]:
        """Read every file of every package; return the problems of what is not what was packed, and their number."""
        problems, count = self.damaged(), 0
        for name in self.files():
            try:
                with self.package(name) as package:
                    problems += [each.replace(str(package.path), f"{self.path}: {name}") for each in package.damaged()]
                    count += len(package.files())
            except PackageError as error:
                problems.append(str(error))
        return list(dict.fromkeys(problems)), max(count, len(problems))

    def _no_head(self) -> str:
        said = next((text for name, text in NO_BUNDLE.items() if name in self._names), "")
        return said or f"is a ZIP, but no bundle: it has no {BUNDLE}"


def open_bundle(path: Path, limits: Limits | None = None) -> BundleFile:
    """Open a bundle for reading.

    Args:
        limits: how much it may hold; None: what the environment says, see `Limits`.

    Raises:
        PackageError: there is none, it is truncated, it is something else, of a newer version, or not to be trusted.
    """
    archive = opened(Path(path), WRITER)
    try:
        return BundleFile(Path(path), archive, limits or Limits.of())
    except BaseException:
        archive.close()
        raise


def _parsed(content: bytes) -> Manifest:
    """Read a `bundle.yaml`.

    Raises:
        ValueError: it is no YAML, of a newer version, or a value is wrong; with its path.
    """
    try:
        value = bounded_yaml.load(content, MOST_VALUES)
        version = str(value.get("format_version")) if isinstance(value, dict) else ""
        if version.partition(".")[0] != FORMAT_VERSION.partition(".")[0]:
            raise ValueError(f"format_version {version or 'none'}: this version reads {FORMAT_VERSION}; update it")
        found = schema.strictly(value, Manifest)
    except yaml.YAMLError as error:
        raise ValueError(f"it cannot be read ({error})") from error
    except BaseValidationError as error:
        raise ValueError(schema.first_problem(error)) from error
    if problem := _problem(found):
        raise ValueError(problem)
    return found


def _problem(manifest: Manifest) -> str:
    """Return what in a manifest leads elsewhere, or does not fit together; "" if nothing does."""
    for module in manifest.modules:
        if not FINGERPRINT.fullmatch(module.fingerprint):
            return f"{module.name}: its fingerprint {module.fingerprint[:80]!r} is no SHA-256"
        for choice in module.choices:
            if (choice.module, choice.fingerprint) != (module.name, module.fingerprint):
                return f"{module.name}: {choice.graph} is of another module"
            if choice.package and choice.package not in manifest.files:
                return f"{module.name}: {choice.package!r} is not in the bundle"
    return ""
