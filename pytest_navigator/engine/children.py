"""The children of one process of a run, one in each Python that its formats have, and for what is measured alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import TYPE_CHECKING

from pytest_navigator.devices.records import FOLDER
from pytest_navigator.isolation.child import Child
from pytest_navigator.isolation.numerics import current_settings
from pytest_navigator.isolation.one_thread import ENVIRONMENT, one_thread
from pytest_navigator.isolation.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_navigator.isolation.early import EarlyChild


@dataclass
class Children:
    """Made when they are asked for first, each by what starts its Python; () is the one that this process runs in.

    Attributes:
        project: the folder in which they work.
        root: the folder, in the workspace, for what other interpreters need of this one.
        environment: the variables that they have.
        turns: held around each call, also around what prepares it.
        early: what has started the first one of this Python already, if anything has.
    """

    project: Path
    root: Path
    environment: Callable[[], Mapping[str, str]]
    turns: Turns = field(default_factory=Turns)
    early: EarlyChild | None = None
    _usual: dict[tuple[str, ...], Child] = field(default_factory=dict)
    _single: dict[tuple[str, ...], Child] = field(default_factory=dict)

    def of(self, command: tuple[str, ...] = ()) -> Child:
        """Return the child in one Python; its imports overlap what this process does."""
        if command not in self._usual:
            self._usual[command] = self._new(command, {})
        # Each time: the user's code may set threads or a precision between two steps.
        self._usual[command].settings = current_settings()
        return self._usual[command]

    def single_threaded(self, command: tuple[str, ...] = (), *, fresh: bool) -> Child:
        """Return a child for what is measured alone: each library in it has one thread.

        Args:
            fresh: whether one that another measurement has left is ended before.
        """
        if fresh and command in self._single:
            self._single.pop(command).close(grace=0)
        if command not in self._single:
            self._single[command] = self._new(command, ENVIRONMENT)
        self._single[command].settings = one_thread(current_settings())
        return self._single[command]

    def warm_up(self, imports: list[str]) -> None:
        """Start the child of this Python, and have it import modules: at once, or after its call if it is busy."""
        child = self._usual.get(()) or self.of()
        child.expect(imports)
        with self.turns.if_free() as free:
            if free:
                child.start()

    def interrupt(self) -> None:
        """End the calls of other threads, whose children are others then, and let these make no more."""
        self.turns.refuse_others()
        with self.turns.if_free() as free:
            if not free:
                for child in (*self._usual.values(), *self._single.values()):
                    child.kill()

    def close(self) -> None:
        """End all of them."""
        for child in (*self._usual.values(), *self._single.values()):
            child.close()
        if "_code" in vars(self):
            rmtree(self._code, ignore_errors=True)

    def _new(self, command: tuple[str, ...], forced: Mapping[str, str]) -> Child:
        if not command:
            early = None if forced else self.early
            return Child(cwd=self.project, environment=self.environment(), forced=forced, early=early)
        from pytest_navigator.isolation.interpreter import Interpreter, code_folder

        # The answers of this Python about libraries and drivers, which its children share, are not those of another.
        forced = {**forced, FOLDER: ""}
        other = Interpreter(command, code_folder(self._code, copied=len(command) > 1))
        return Child(cwd=self.project, environment=self.environment(), forced=forced, interpreter=other)

    @cached_property
    def _code(self) -> Path:
        """The folder of this package for other interpreters, of this process alone."""
        return Path(mkdtemp(prefix="code-", dir=self.root))
