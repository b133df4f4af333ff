"""A child that imports a framework while this process does: before anybody knows what the child will be asked."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from pytest_navigator.isolation.numerics import SETTINGS
from pytest_navigator.isolation.on_import import OnImport

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path
    from types import ModuleType

    from pytest_navigator.core.plain import JSON
    from pytest_navigator.isolation.process import Process
    from pytest_navigator.isolation.starting import Start

# What a child reads when it needs it, and can be told later.
OUR_OWN = "NAV_"
PATH = "PYTHONPATH"


class EarlyChild(OnImport):
    """Starts a child when a framework is imported here, in the main thread, and has it import that too.

    Args:
        cwd: working directory of the child.
        names: of the frameworks.
    """

    def __init__(self, cwd: Path, names: Collection[str] = tuple(SETTINGS)) -> None:
        super().__init__(names)
        self._cwd = cwd
        self._process: Process | None = None
        self._variables: dict[str, str] = {}
        self._before: dict[str, str] = {}

    def watch(self) -> None:
        """Begin to look at what is imported."""
        sys.meta_path.insert(0, self)

    def before(self, name: str) -> None:
        """Start the child unless it lives, and have it import the framework."""
        if threading.current_thread() is not threading.main_thread():
            return  # with which the child would end
        self._before = dict(os.environ)
        with suppress(OSError):  # there will be another reason to say that no process can be started
            if self._process is None:
                self._process = self._started()
            self._process.warm_up([name])

    def after(self, name: str, module: ModuleType) -> None:
        """Leave what a framework has set to itself: in the child it does the same."""
        for key in self._before.keys() | os.environ.keys():
            if self._before.get(key) == os.environ.get(key):
                continue
            self._variables.pop(key, None)
            if key in os.environ:
                self._variables[key] = os.environ[key]

    def take(self, start: Start, settings: dict[str, dict[str, JSON]]) -> Process | None:
        """Hand the child over, once, if it is like one that is started now; None: there is none like that."""
        process, self._process = self._process, None
        if process is None:
            return None
        wanted = start.variables()
        if start.cwd != self._cwd or start.interpreter or _lasting(wanted) != _lasting(self._variables):
            process.end(0)
            return None
        ours = {name: wanted.get(name) for name in wanted.keys() | self._variables.keys() if name.startswith(OUR_OWN)}
        told = start.told()
        process.set_up({**told, "environment": ours | told["environment"], "settings": settings})
        return process

    def close(self) -> None:
        """Look at nothing more; end the child if nobody has taken it."""
        with suppress(ValueError):
            sys.meta_path.remove(self)
        if self._process is not None:
            self._process.end(0)
            self._process = None

    def _started(self) -> Process:
        from pytest_navigator.isolation.process import Process
        from pytest_navigator.isolation.starting import Start

        start = Start((), self._cwd, {}, {}, None)
        self._variables = start.variables()
        return Process(start, {})


def _lasting(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that a library may have read when it was imported."""
    return {name: text for name, text in variables.items() if name != PATH and not name.startswith(OUR_OWN)}
