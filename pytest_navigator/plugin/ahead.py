"""When a run of pytest runs steps ahead: a run of one process, while the tests that it has generated run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.plugin import generation
from pytest_navigator.plugin.item import repeated

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

    from pytest_navigator.plugin.run import Run


def begin(run: Run, items: Sequence[pytest.Item]) -> None:
    """Know the order of the items; the first thing that runs ahead comes after a source step has passed."""
    if not _possible(run) or any(repeated(item) for item in items):
        return
    from pytest_navigator.engine.ahead import Ahead
    from pytest_navigator.engine.plan_ahead import Plan
    from pytest_navigator.engine.running_ahead import InChild

    for suite in run.suites.values():
        suite.folder.take_back_all_ahead()  # of the worker before this one, which has died
    run.ahead = Ahead(Plan(generation.reported(run, items)), InChild(run))


def _possible(run: Run) -> bool:
    """Whether one process does all, and does it in a child; who debugs wants to see one thing after the other."""
    several = int(getattr(run.config, "workerinput", {}).get("workercount", 1)) > 1
    return run.options.ahead and not (several or run.options.in_process or run.debug or run.debugger)
