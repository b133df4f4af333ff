"""Who runs, and from where: working directory, environment and stderr are the whole process's, so one run at a time."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

TURN = threading.RLock()
"""Held by the call that runs; those of other threads wait. A model or `verify_func` that calls the API does not."""

_moving = threading.Lock()
_callers: dict[Path, Path] = {}
"""Folder in which a run works -> the working directory of who called it."""


def here() -> Path:
    """Return the caller's working directory, also at the moments when another thread's run is elsewhere."""
    with _moving:
        folder = Path.cwd()
        return _callers.get(folder, folder)


@contextmanager
def elsewhere(folder: Path) -> Iterator[Path]:
    """Work in a folder; gives the caller's working directory, to which it returns."""
    folder, caller = folder.resolve(), here()
    with _moving:
        _callers[folder] = caller
        os.chdir(folder)
    try:
        yield caller
    finally:
        with _moving:
            os.chdir(caller)
            del _callers[folder]
