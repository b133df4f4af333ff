"""A worker of pytest-xdist joins a run: in the run's own workspace, or in one of its host if it does not see that."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pytest_navigator._version import __version__
from pytest_navigator.engine.sending import messages, note_machine
from pytest_navigator.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_navigator.core.plain import JSON
    from pytest_navigator.plugin.run import Run

# What a worker is told, and tells at its end.
RUN_ID = "nav_run"
VERSION = "nav_version"
HOST = "nav_host"
APART = "nav_apart"

MACHINE = "nav_machine"  # The property of a test that says on which machine its step ran
PLUGIN = "navigator-apart"

_begun: dict[str, tuple[str, str]] = {}
"""Id of a run -> its workspace on this host, and what that is claimed with: asked for when pytest has ended here."""


def join(run: Run, told: Mapping[str, Any]) -> None:
    """Become part of a run; whatever is in the way of it is the run's usage error."""
    run.id = told[RUN_ID]
    if told.get(VERSION) != __version__:
        run.note(
            f"{told.get(HOST)} has pytest-navigator {__version__}, and the run was started by {told.get(VERSION)}: "
            "install the same version on all hosts"
        )
    elif not (run.config.option.collectonly or run.workspace.is_of(run.id)):
        try:
            run.config.pluginmanager.register(Apart(run, told[HOST]), PLUGIN)
        except ConfigError as error:
            run.note(f"{told[HOST]}: {error}")


class Apart:
    """What the first process of a run does elsewhere, done on a host that does not see the run's workspace."""

    def __init__(self, run: Run, name: str) -> None:
        from pytest_navigator.devices.shared import sharing

        self.run = run
        self._ending = ExitStack()
        token = f"{run.id} on {name}"  # The run's own is its id: who finds that shares the disk
        lock = run.workspace.join(token, resume=run.options.resume)
        if lock:
            self._ending.callback(lock.release)
        if run.cache:
            run.cache.prepare(run.options.workspace)
        self._ending.enter_context(sharing(run.workspace.devices))
        run.apart = name
        _begun[run.id] = str(run.workspace.root), token
        run.config.workeroutput[APART] = True  # type: ignore[attr-defined]

    def pytest_sessionfinish(self) -> None:
        """Keep what is to be recorded of this machine."""
        note_machine(self.run.workspace, machine_of(self.run))

    def pytest_unconfigure(self) -> None:
        """Let the next run have the workspace."""
        self._ending.close()


def machine_of(run: Run) -> dict[str, JSON]:
    """Return what is recorded of this machine where several have worked on a model."""
    ended = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}"
    git = dict(run.git) if run.git else None
    return {"environment": dict(run.machine), "git": git, "uuid": "", "timestamp": ended, "version": __version__}


def send(channel: Any) -> None:
    """Send what the run whose id comes first has left here."""
    run = channel.receive()
    if run not in _begun:
        channel.send(("error", "it has not begun there"))
        return
    for message in messages(*_begun.pop(run)):
        channel.send(message)
