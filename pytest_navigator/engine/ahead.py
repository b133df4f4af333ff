"""Steps run ahead of the items that report them, while pytest's process is busy with what the child has no part in.

A thread takes them one by one, in the order of the items to come, as soon as all that they need has passed. What it
finds is *pending* until the step's own item asks for it. All that is not asked for is taken back.
"""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from pytest_navigator.isolation.numerics import current_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_navigator.core.plain import JSON
    from pytest_navigator.core.records import Outcome
    from pytest_navigator.core.steps import Step
    from pytest_navigator.engine.aside import Pending
    from pytest_navigator.engine.plan_ahead import Id, Plan, Planned
    from pytest_navigator.engine.suite import Suite

LOG = logging.getLogger(__name__)

AGAIN = 0.2  # s after which what runs is interrupted once more


class Code(Protocol):
    """What knows how a step is run ahead."""

    def suits(self, suite: Suite, step: Step) -> bool:
        """Return whether it can be, once all that it needs has passed."""

    def run(
        self, suite: Suite, step: Step, found: Callable[[str], Outcome | None], settings: dict[str, dict[str, JSON]]
    ) -> Pending | None:
        """Run it, with the outcomes of the suite that are not recorded yet; None: it is left to its own item."""

    def interrupt(self) -> None:
        """End what runs."""


class Ahead:
    """The thread, and what it has found; all methods are the main thread's."""

    def __init__(self, plan: Plan, code: Code) -> None:
        self._plan, self._code = plan, code
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._known: set[str] = set()
        self._open: dict[Id, Planned] = {}
        self._passed: set[Id] = set()
        self._pending: dict[Id, Pending] = {}
        self._running: Planned | None = None
        self._settings: dict[str, dict[str, JSON]] = {}
        self._paused = 0
        self._stopped = self._closed = False

    def note(self, suite: Suite, found: Outcome) -> None:
        """Tell of an outcome that is recorded; that of the source opens its suite."""
        with self._changed:
            self._settings = current_settings()
            id = suite.nodeid, found.id
            (self._passed.add if found.passed else self._passed.discard)(id)
            if found.step == "source" and found.passed and suite.nodeid not in self._known:
                self._meet(suite)
            self._changed.notify_all()

    def take(self, suite: Suite, step: Step) -> Pending | None:
        """Return what was found of a step, waiting for it while it runs; None: it has not begun, and will not any more.

        What was found under other numeric settings than those of this moment is taken back.
        """
        id = suite.nodeid, step.id
        with self._changed:
            self._open.pop(id, None)
            self._changed.wait_for(lambda: self._running is None or self._running.id != id)
            found = self._pending.get(id)
        if found is not None and found.settings != current_settings():
            self.drop(suite, step)
            return None
        return found

    def runs(self, suite: Suite, step: Step) -> bool:
        """Return whether it is just being run."""
        running = self._running
        return running is not None and running.id == (suite.nodeid, step.id)

    def drop(self, suite: Suite, step: Step) -> None:
        """Take back what was found of a step, and by those that need it: its item makes it anew."""
        self.pause()
        try:
            self._drop((suite.nodeid, step.id))
            self.forget(suite, step)
        finally:
            self.resume()

    def taken(self, suite: Suite, step: Step) -> None:
        """Tell that what was found is recorded."""
        with self._changed:
            self._pending.pop((suite.nodeid, step.id), None)

    def pause(self) -> None:
        """Let nothing run ahead until `resume` is called as often; what runs is waited for."""
        with self._changed:
            self._paused += 1
            try:
                self._changed.wait_for(lambda: self._running is None)
            except BaseException:  # Ctrl-C
                self._paused -= 1
                raise

    def resume(self) -> None:
        """Take a `pause` back."""
        with self._changed:
            self._paused -= 1
            self._changed.notify_all()

    def forget(self, suite: Suite, step: Step) -> None:
        """Take back what was found by steps that need this one, which is run again; only while paused."""
        with self._changed:
            self._passed.discard((suite.nodeid, step.id))
        for planned in self._plan.of(suite.nodeid):
            if planned.id in self._pending and step in suite.matrix.before(planned.step):
                self._drop(planned.id)
                with self._changed:
                    self._open[planned.id] = planned

    def stop(self) -> None:
        """End what runs, and take back all that nobody has asked for."""
        with self._changed:
            self._stopped = True
            self._open.clear()
            self._changed.notify_all()
        while self._running is not None:
            self._code.interrupt()  # more than once: a child that is being started cannot be ended yet
            with self._changed:
                self._changed.wait_for(lambda: self._running is None, AGAIN)
        for id in [*self._pending]:
            self._drop(id)

    def close(self) -> None:
        """End the thread, and with it, on Linux, each child that it has started."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _meet(self, suite: Suite) -> None:
        """Know the steps of a suite, and which of them have been recorded: by a worker before this one, or resumed."""
        self._known.add(suite.nodeid)
        recorded = {found.id: found for found in suite.folder.outcomes()}
        self._passed |= {(suite.nodeid, id) for id, found in recorded.items() if found.passed}
        for planned in self._plan.of(suite.nodeid):
            if planned.step.id not in recorded and not self._stopped:
                self._open[planned.id] = planned
        if self._open and self._thread is None:
            self._thread = threading.Thread(target=self._work, name="navigator-ahead", daemon=True)
            self._thread.start()

    def _drop(self, id: Id) -> None:
        with self._changed:
            found = self._pending.pop(id)
        found.take_back()

    def _work(self) -> None:
        while (planned := self._next()) is not None:
            found = self._found(planned)
            with self._changed:
                self._running = None
                if found is not None:
                    self._pending[planned.id] = found
                self._changed.notify_all()

    def _next(self) -> Planned | None:
        """Wait for a step that can run, and begin it; None: the thread is to end."""
        with self._changed:
            while not self._closed:
                ready = None if self._paused or self._stopped else self._ready()
                if ready is not None:
                    self._running = self._open.pop(ready.id)
                    return ready
                self._changed.wait()
        return None

    def _ready(self) -> Planned | None:
        """Return the first step of which all that it needs has passed."""
        return min((each for each in self._open.values() if self._can(each)), key=lambda each: each.place, default=None)

    def _can(self, planned: Planned) -> bool:
        nodeid, suite = planned.suite.nodeid, planned.suite
        return all(self._has_passed((nodeid, needed.id)) for needed in suite.matrix.needs(planned.step))

    def _has_passed(self, id: Id) -> bool:
        pending = self._pending.get(id)
        return id in self._passed or (pending is not None and pending.outcome.passed)

    def _found(self, planned: Planned) -> Pending | None:
        suite, step = planned.suite, planned.step

        def found(id: str) -> Outcome | None:
            pending = self._pending.get((suite.nodeid, id))
            return pending.outcome if pending is not None else None

        try:
            return self._code.run(suite, step, found, self._settings) if self._code.suits(suite, step) else None
        except BaseException:  # its own item runs it, and shows what is wrong
            LOG.debug("%s is left to its own item", step.id, exc_info=True)
            return None


@contextmanager
def beside(ahead: Ahead | None, *, allowed: bool) -> Iterator[None]:
    """Let steps run ahead meanwhile, or none, which begins when what runs has ended."""
    if ahead is None or allowed:
        yield
        return
    ahead.pause()
    try:
        yield
    finally:
        ahead.resume()
