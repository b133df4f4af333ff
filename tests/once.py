"""What is expensive and only read is made once in a whole run: by the worker that needs it first, for all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from filelock import FileLock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest


def once(config: pytest.Config, folders: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """Return the folder that `make` has filled, in this process or in another worker's."""
    base = folders.getbasetemp()
    folder = (base.parent if hasattr(config, "workerinput") else base) / name
    done = folder / ".done"
    with FileLock(folder.with_suffix(".lock")):
        if not done.exists():
            folder.mkdir()
            make(folder)
            done.touch()
    return folder
