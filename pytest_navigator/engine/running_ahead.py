"""How a step is run ahead: in another thread than the main one, for the child alone, with nothing of it recorded."""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import partial
from glob import escape
from typing import TYPE_CHECKING

from pytest_navigator.comparison.divergence import FOLDER
from pytest_navigator.engine import gpu
from pytest_navigator.engine.aside import AsideFolder, Pending, take_back
from pytest_navigator.engine.attempt import attempted, completed
from pytest_navigator.engine.cache.code import place_of
from pytest_navigator.engine.context import Context
from pytest_navigator.engine.correctness import functions_of
from pytest_navigator.engine.evidence import evidence_names
from pytest_navigator.engine.identity import classes
from pytest_navigator.isolation.numerics import settings_of
from pytest_navigator.isolation.progress import Progress
from pytest_navigator.isolation.turns import Refused
from pytest_navigator.reproduce.names import script_name

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from pytest_navigator.core.plain import JSON
    from pytest_navigator.core.records import Outcome
    from pytest_navigator.core.steps import Step
    from pytest_navigator.engine.host import Host
    from pytest_navigator.engine.suite import Suite
    from pytest_navigator.frameworks.base import Source


class NeedsModel(BaseException):
    """The step asks for the live model, which is the main thread's; no `except Exception` makes a finding of it."""


class NoLive:
    """Stands for the user's objects."""

    asked: Step | None = None

    def source(self) -> Source:
        """Raise NeedsModel."""
        raise NeedsModel

    def loader(self) -> object:
        """Raise NeedsModel."""
        raise NeedsModel

    def remember(self) -> None:
        """Raise NeedsModel."""
        raise NeedsModel


class InChild:
    """Runs steps ahead for one process of a run."""

    def __init__(self, host: Host) -> None:
        self._children = host.children
        # It shares all that steps find out of the machine; what the terminal shows is the main thread's.
        self._host = copy.copy(host)
        self._host.progress, self._host.ahead = Progress(shown=False), None
        # Who has got no answer once does not wait for another one.
        self._host.cache = host.cache

    def suits(self, suite: Suite, step: Step) -> bool:
        """Return whether pytest's process has no part in it, and no GPU."""
        context = Context(self._host, suite, step, NoLive())
        if gpu.uses(context):
            return False
        if self._host.options.cache and any(place_of(kind) for kind in classes(context)):
            return False  # the name in the cache is by code of the user's, which Python's parser would read
        return not step.runner or not functions_of(context, context.variant, suite.folder.signature)

    def run(
        self, suite: Suite, step: Step, found: Callable[[str], Outcome | None], settings: dict[str, dict[str, JSON]]
    ) -> Pending | None:
        """Run it; None: it needs the live model, or nobody wants it any more."""
        folder = AsideFolder(suite.folder.path, suite.folder.root, step.id, step.key, found)
        later: list[tuple[int, Callable[[], object]]] = []
        # Of each step its own: one may run while the item of another one completes what that has found.
        host = copy.copy(self._host)
        host.hints, host.later = [], lambda work: later.append((folder.logged(), work))
        context = Context(host, replace(suite, folder=folder), step, NoLive())
        folder.begin(traces(context))
        outcome = None
        try:
            # No other thread wants it for itself meanwhile, which would be an error: whoever measures pauses this one.
            with self._host.workspace.machine(exclusive=False), settings_of(settings), self._noted(step.id):
                outcome, _ = attempted(context)
        except (NeedsModel, Refused):
            return None
        finally:
            if outcome is None:
                take_back(folder)
        return Pending(outcome, folder, host.hints, settings, tuple(later), partial(completed, context))

    def _noted(self, step: str) -> AbstractContextManager[None]:
        return self._host.noted(step, "ahead")

    def interrupt(self) -> None:
        """End the call that runs, and begin no other."""
        self._children.interrupt()


def traces(context: Context) -> list[str]:
    """Return patterns of what a step leaves below the folder of its suite."""
    step, key = context.step, escape(context.step.key)
    if not step.runner:
        return [key]
    cell = context.suite.matrix.cell_id(step.key, step.runner)
    script = script_name(step.step, step.key, step.runner)
    left = [
        *evidence_names(context),
        f".outputs/{step.id}",
        f"{step.key}/{FOLDER}/{cell}",
        f"{step.key}/{FOLDER}/{cell}.py",
    ]
    return [*map(escape, left), *([f"{escape(script)}.*"] if script else [])]
