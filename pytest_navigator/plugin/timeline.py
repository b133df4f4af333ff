"""`--nav-timeline`: what ran where and when. The hooks note what pytest does; steps and calls note themselves."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_navigator.core.timeline import Timeline, read_events
from pytest_navigator.engine.workspace import TIMELINE

if TYPE_CHECKING:
    from collections.abc import Generator

    from pytest_navigator.plugin.run import Run


def begin(config: pytest.Config, run: Run) -> None:
    """Note events of this process from now on; its start is when the system began it."""
    folder = run.workspace.root / TIMELINE
    process = run.worker or "pytest"
    run.timeline = Timeline(folder / f"{process}.jsonl", process)
    if not run.worker:
        _empty(run)
    folder.mkdir(exist_ok=True)
    run.timeline.add("start-up", _began(), time.time())
    config.pluginmanager.register(Hooks(run), "navigator-timeline")


def _began() -> float:
    """Return when the system began this process, in s since the epoch."""
    try:
        # psutil adds this to when the machine was started, which Linux tells in whole seconds.
        _, _, fields = Path("/proc/self/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")
        ticks = int(fields.split()[19])
        return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, AttributeError):
        import psutil

        return psutil.Process().create_time()


def _empty(run: Run) -> None:
    from pytest_navigator.core.ours import remove

    if (run.workspace.root / TIMELINE).exists():
        remove(run.workspace.root / TIMELINE)  # of the run that this one resumes


class Hooks:
    """What pytest does, and the text at the end."""

    def __init__(self, run: Run) -> None:
        self.run = run

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection(self) -> Generator[None, object, object]:
        """Note the collection."""
        with self.run.noted("collection"):
            return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Note an item, with its fixtures."""
        with self.run.noted(item.name):
            return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self) -> Generator[None, object, object]:
        """Note what is written at the end."""
        with self.run.noted("packages and reports"):
            return (yield)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print the events of all processes."""
        from pytest_navigator.reporting.timeline import timeline_lines

        if lines := timeline_lines(read_events(self.run.workspace.root / TIMELINE)):
            terminalreporter.write_sep("=", "navigator timeline")
            terminalreporter.write_line("\n".join(lines))
