"""What a file or folder shows of its format before any library is asked."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Content:
    """A file or folder that is there."""

    path: Path

    @cached_property
    def folder(self) -> bool:
        """Whether it is one."""
        return self.path.is_dir()

    @cached_property
    def archive(self) -> bool:
        """Whether it is a ZIP archive."""
        return not self.folder and zipfile.is_zipfile(self.path)

    @cached_property
    def names(self) -> frozenset[str]:
        """The names in an archive."""
        if not self.archive:
            return frozenset()
        with zipfile.ZipFile(self.path) as archive:
            return frozenset(archive.namelist())

    @cached_property
    def inner(self) -> frozenset[str]:
        """The same below the archive's top folder."""
        return frozenset(name.partition("/")[2] for name in self.names)

    @cached_property
    def head(self) -> bytes:
        """How a file starts that is no archive."""
        if self.folder or self.archive:
            return b""
        with self.path.open("rb") as file:
            return file.read(32)
