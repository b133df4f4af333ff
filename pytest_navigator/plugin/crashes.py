"""A worker of xdist that has died: which step it was in, and which of its tests says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.core.plain import structured
from pytest_navigator.core.records import Outcome
from pytest_navigator.core.steps import Status, Step
from pytest_navigator.package.query.results import read_results
from pytest_navigator.plugin.last_failed import tell_last_failed
from pytest_navigator.reporting.report import cell_ids, failure_text
from pytest_navigator.text import one_line, short_path

if TYPE_CHECKING:
    import pytest

    from pytest_navigator.core.plain import JSON
    from pytest_navigator.engine.workspace import SuiteFolder
    from pytest_navigator.package.query.results import Results
    from pytest_navigator.plugin.run import Run


def blame(report: pytest.TestReport, worker: str, run: Run) -> None:
    """Turn xdist's report of a crash into that of the step in which the worker died, if it was in one.

    xdist blames the test that ran. The step that crashed may be one that this test only needs: then it is skipped, and
    the step's own test fails.
    """
    for folder in run.workspace.suites():
        for step in folder.unfinished():
            note = folder.noted(step)
            if note.notes.worker == worker:
                found = folder.bury(step)
                _tell(report, found, note.notes.asked, folder, run)
                tell_last_failed(report, found, folder)
                return


def _tell(report: pytest.TestReport, found: Outcome, asked: JSON, folder: SuiteFolder, run: Run) -> None:
    # xdist writes "???" there: whoever goes by the phase would pass the report over.
    report.when = "call"
    step = structured(asked, Step) if asked else None
    if step is None or step.id != found.id:
        why = f"{found.id} {found.status.value}: {one_line(found.message)}"
        _skip(report, why)
        if step is not None:
            follows = Outcome(step.step, Status.SKIPPED, step.key, step.runner, step.batch, why, cause=found.id)
            folder.write(follows)
        return
    folder.mark_reported(found)
    path = short_path(folder.path, run.start)
    report.longrepr = failure_text(found, path)
    results = read_results(folder.path)
    (name,) = cell_ids(results, [(found.key, found.runner)])
    reason = "" if found.batch else results.setting("xfail").get(name, "")
    if reason := reason or _agreed(found, results, run):
        report.wasxfail = f"{reason} (log: {path / found.key / 'format.log'})"
        _skip(report, reason)


def _agreed(found: Outcome, results: Results, run: Run) -> str:
    """Return why `nav_expected.toml` expects a crash; "" where it does not."""
    if results.suite.expected is None:
        return ""
    from pytest_navigator.gates.expected_steps import agreed

    runners = [found.runner] if found.runner else ["", *results.variant(found.key).runners]
    names = cell_ids(results, [(found.key, runner) for runner in runners])
    return agreed(found, results.suite.expected, tuple(names), run.options.expected)


def _skip(report: pytest.TestReport, reason: str) -> None:
    report.outcome = "skipped"
    report.longrepr = (report.location[0], 1, f"Skipped: {reason}")
