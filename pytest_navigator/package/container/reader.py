"""Open a `.nav` package: nothing is unpickled, nothing unchecked is handed out, nothing is written elsewhere."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pytest_navigator.errors import PackageError
from pytest_navigator.package.container.checked import CheckedFile, opened
from pytest_navigator.package.layout import paths
from pytest_navigator.package.layout.recorded import recorded
from pytest_navigator.package.layout.status_file import parse
from pytest_navigator.package.zip.archive import BUNDLE, STATUS
from pytest_navigator.package.zip.safety import Limits

if TYPE_CHECKING:
    import zipfile

    from pytest_navigator.core.plain import JSON
    from pytest_navigator.package.layout.content import Content
    from pytest_navigator.package.query.results import Results

IS_BUNDLE = (
    "is a bundle of the modules of a pipeline: nav.bundle.load('{path}') puts them where nav.load_optimized() finds "
    "them, pytest-navigator extract {path} MODULE gets the package of one"
)


class PackageFile(CheckedFile):
    """An open package, as a context manager. Made by `open_package`.

    Attributes:
        path: of the package.
        status: content of status.yaml, in the current schema whatever version wrote it.
    """

    head: ClassVar[str] = STATUS

    def __init__(self, path: Path, archive: zipfile.ZipFile, limits: Limits) -> None:
        super().__init__(path, archive, limits)
        self.status: Content = self._read_status()
        self._set_digests(self.details.get("files") or {})
        if problem := paths.absent(self.status, self._names):
            raise PackageError(f"{path}: {STATUS}: {problem}")

    @cached_property
    def results(self) -> Results:
        """What the package records, see `recorded`."""
        return recorded(self)

    @property
    def details(self) -> Content:
        """What is in status.yaml under `pytest_navigator`; empty for a package of Model Navigator's own."""
        details = self.status.get("pytest_navigator")
        return details if isinstance(details, dict) else {}

    @property
    def complete(self) -> bool:
        """Whether the run that wrote the package covered the whole suite."""
        return bool(self.details.get("complete", True))

    def _read_status(self) -> dict[str, JSON]:
        content = self._read_head()
        try:
            return parse(content, self.path.stat().st_size)
        except ValueError as error:
            raise PackageError(f"{self.path}: {STATUS}: {error}") from error

    def _no_head(self) -> str:
        return IS_BUNDLE.format(path=self.path) if BUNDLE in self._names else super()._no_head()

    def _absence(self, name: str) -> str:
        left_out = self.details.get("left_out") or {}
        return f"it was left out ({left_out[name]})" if name in left_out else super()._absence(name)


def open_package(path: Path, limits: Limits | None = None) -> PackageFile:
    """Open a package for reading.

    Args:
        limits: how much it may hold; None: what the environment says, see `Limits`.

    Raises:
        PackageError: there is none, it is truncated, it is something else, of a newer version, or not to be trusted.
    """
    archive = opened(Path(path))
    try:
        package = PackageFile(Path(path), archive, limits or Limits.of())
        _ = package.results  # what is wrong with its records is said now, not where they are used
        return package
    except BaseException:
        archive.close()
        raise
