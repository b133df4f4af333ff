"""Files and folders that are moved to their places: all of them, or none."""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType


@dataclass
class Moves:
    """Moves from a folder into another one of the same file system; what goes wrong inside of `with` undoes them.

    Attributes:
        source: where the new files are. target: where they go.
        replaced: a folder, not there yet, for what was in their places.
    """

    source: Path
    target: Path
    replaced: Path
    _undo: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Moves:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if error is None:
            self._undo.pop_all()
        else:
            self._undo.close()

    def folder(self, name: str) -> None:
        """Move a folder; one that is there is gone for a moment, since no folder can be put in another's place."""
        new, place = self.source / name, self.target / name
        if place.exists():
            old = self._kept(name)
            os.rename(place, old)
            self._undo.callback(os.rename, old, place)
        os.rename(new, place)
        self._undo.callback(os.rename, place, new)

    def file(self, name: str) -> None:
        """Move a file; who reads one that is there finds the old one or the new one."""
        new, place = self.source / name, self.target / name
        self._make_folder(place.parent)
        old = self._kept(name)
        if place.is_file():
            shutil.copy2(place, old)
        os.replace(new, place)
        if old.exists():
            self._undo.callback(os.replace, old, place)
        else:
            self._undo.callback(place.unlink)

    def _kept(self, name: str) -> Path:
        old = self.replaced / name
        old.parent.mkdir(parents=True, exist_ok=True)
        return old

    def _make_folder(self, folder: Path) -> None:
        if not folder.is_dir():
            folder.mkdir()
            self._undo.callback(folder.rmdir)
