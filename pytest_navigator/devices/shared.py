"""Answers that all processes of a run share, in files: a driver, or a library's import, is asked once a run."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pytest_navigator.core.plain import write_atomically
from pytest_navigator.devices.records import FOLDER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


T = TypeVar("T")


@contextmanager
def sharing(folder: Path) -> Iterator[None]:
    """Let this process, and all that it starts, keep answers in a folder."""
    before = os.environ.get(FOLDER)
    os.environ[FOLDER] = str(folder)
    try:
        yield
    finally:
        del os.environ[FOLDER]
        if before is not None:
            os.environ[FOLDER] = before


def once(name: str, ask: Callable[[], T]) -> T:
    """Return the answer of this run, asking if nobody has; outside of a run, ask."""
    folder = os.environ.get(FOLDER)
    if not folder or not Path(folder).is_dir():  # a child may outlive the folder of its run
        return ask()
    from filelock import FileLock

    path = Path(folder, f"{name}.json")
    # Whoever comes first asks for all: a driver in trouble takes a minute for each that does.
    with FileLock(f"{path}.lock"):
        if not path.exists():
            write_atomically(path, json.dumps(ask()).encode())
        found: T = json.loads(path.read_bytes())
        return found
