"""A suite's folder in a workspace, opened as the package that would be written now: nothing is copied or written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.devices.environment import environment
from pytest_navigator.errors import PackageError
from pytest_navigator.package.container.reader import PackageFile
from pytest_navigator.package.container.writer import dump
from pytest_navigator.package.layout import status
from pytest_navigator.package.layout.status_file import parse
from pytest_navigator.package.query.results import read_results
from pytest_navigator.package.query.selection import select
from pytest_navigator.package.zip.archive import STATUS, Member

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class FolderFile(PackageFile):
    """What a run has recorded of one model so far, with the files that are there; a later step changes nothing in it.

    Raises:
        PackageError: a record cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        results = read_results(folder)
        selection = select(folder, results, keep="all", save_data="all", required=())
        self.path = folder
        self._paths = {name: path for name, path in selection.files.items() if name != STATUS}
        names = dict.fromkeys(self._paths, "")
        content = status.build(results, environment(), files=names, complete=not results.missing)
        self.status = parse(dump(content))

    def files(self) -> dict[str, str]:
        """Return the names of the files; what they are is not known before the package is written."""
        return dict.fromkeys(self._paths, "")

    def size(self, name: str) -> int:
        """Return the size of a file in B."""
        return self._member(name).size

    def chunks(self, name: str) -> Iterator[bytes]:
        """Yield the content of a file in pieces."""
        return self._member(name).chunks()

    def close(self) -> None:
        """Do nothing: every file is opened when it is read."""

    def _member(self, name: str) -> Member:
        if name not in self._paths:
            raise PackageError(f"{self.path}: {name}: no such file so far")
        return Member(name, self._paths[name])
