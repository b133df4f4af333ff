"""The reports of a run: what pytest tells of tests that no record has, and where the files go."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pytest_navigator.plugin import github, gitlab
from pytest_navigator.reporting import report_files
from pytest_navigator.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import pytest

    from pytest_navigator.configuration.run_options import RunOptions
    from pytest_navigator.plugin.run import Run
    from pytest_navigator.reporting.packages import Written
    from pytest_navigator.reporting.run_report import OtherFailure, RunReport

NAV_MODEL = "::nav_model"
UNEXPECTED = "this should not have happened"
LONGEST = 100  # Failures of the user's own tests that a report names


def _json(run: RunReport, _: RunOptions) -> str:
    from pytest_navigator.reporting.json_report import render

    return render(run)


def _html(run: RunReport, _: RunOptions) -> str:
    from pytest_navigator.reporting.html.rendering import render

    return render(run)


def _timeline(_: RunReport, options: RunOptions) -> str:
    from pytest_navigator.core.timeline import read_events
    from pytest_navigator.engine.workspace import TIMELINE
    from pytest_navigator.reporting.timeline_trace import trace

    return trace(read_events(options.workspace / TIMELINE))


# Flag -> what makes its text; one without any is not written.
RENDERED: dict[str, Callable[[RunReport, RunOptions], str]] = {
    "--nav-report": _html,
    "--nav-json": _json,
    gitlab.FLAG: gitlab.text,
    "--nav-timeline": _timeline,
}


class Reports:
    """What the controller of a run gathers for its reports, and writes at its end."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.lines: list[str] = []
        self.annotations: list[str] = []
        self._failures: dict[str, str] = {}
        self._places: dict[str, tuple[str, int]] = {}
        options = run.options
        if "--nav-report" in options.reports:
            from pytest_navigator.reporting.html.rendering import check_installed

            check_installed()
        gitlab.check(options)
        report_files.check(options.reports, options.workspace)
        local = [run.start / options.package] if options.package and "://" not in options.package else []
        report_files.check_others(options.reports, local)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the place of a test, and the failure of one that reports no step."""
        file, line, _ = report.location
        self._places.setdefault(report.nodeid, (file, (line or 0) + 1))
        if report.failed and not any(name == "nav_step" for name, _ in report.user_properties):
            self._failures.setdefault(report.nodeid, _line(report))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keep what could not be collected."""
        if report.failed:
            self._failures.setdefault(report.nodeid, _line(report))

    def write(self, written: Sequence[Written], exit_code: int) -> bool:
        """Write every report; returns whether all could be written, `lines` says where they are."""
        on_github = github.here() and bool(written or self._failures)
        if not (self.run.options.reports or on_github):
            return True
        said = self._report(written, exit_code)
        problems = [self._write(flag, path, said) for flag, path in self.run.options.reports.items()]
        if on_github:
            self._tell_github(said)
        return not any(problems)

    def _write(self, flag: str, path: Path, said: RunReport) -> str:
        """Write one report; returns why it could not be written, "" if it was, or is for another place."""
        try:
            text = RENDERED[flag](said, self.run.options)
        except Exception as error:  # a bug of ours here must not take the run's own summary with it
            problem = f"{UNEXPECTED}: {one_line(repr(error))}"
        else:
            if not text:
                self.lines.append(f"note: {flag}: nothing is written: ${gitlab.JOB} or ${gitlab.PROJECT} is not set")
                return ""
            problem = report_files.write(path, text)
        self.lines.append(f"ERROR: {flag}: {problem}" if problem else f"report: {said.shown(path)}")
        return problem

    def _tell_github(self, said: RunReport) -> None:
        try:
            self.lines += github.write_summary(said)
            self.annotations = github.annotating(said, self.run.config)
        except Exception as error:  # nor fail it, for nobody has asked for this
            self.lines.append(f"note: no summary for GitHub: {UNEXPECTED}: {one_line(repr(error))}")

    def _report(self, written: Sequence[Written], exit_code: int) -> RunReport:
        from pytest_navigator.reporting.run_report import Place, RunReport, log_tails

        models = [each.report for each in written if each.report]
        return RunReport(
            models=tuple(replace(m, logs=log_tails(m.folder, m.results)) if m.folder else m for m in models),
            exit_code=exit_code,
            others=tuple(self._others(written)),
            places={nodeid: Place(*place) for nodeid, place in self._places.items()},
            start=self.run.start,
            environment=self.run.machine,
            git=self.run.git,
            ended=datetime.now(UTC).isoformat(timespec="seconds"),
            pipelines=tuple(each.pipeline for each in written if each.pipeline),
        )

    def _others(self, written: Sequence[Written]) -> Iterator[OtherFailure]:
        """Yield what failed and is in no record: by the name of a suite, or by a node id."""
        from pytest_navigator.reporting.run_report import OtherFailure

        models = [each.report.results for each in written if each.report]
        known = {outcome.notes.nodeid for results in models for outcome in results.outcomes}
        generated = tuple(f"{results.suite.nodeid.partition(NAV_MODEL)[0]}{NAV_MODEL}::test_" for results in models)
        unread = [each for each in written if not (each.report or each.pipeline)]
        yield from (OtherFailure(each.lines[0], " ".join(each.lines[1:])) for each in unread)
        strangers = [n for n in self._failures if n not in known and not n.startswith(generated)]
        yield from (OtherFailure(nodeid, self._failures[nodeid]) for nodeid in strangers[:LONGEST])


def _line(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Return the one line that pytest's own summary has."""
    crash = getattr(report.longrepr, "reprcrash", None)
    text = crash.message if crash is not None else report.longreprtext
    return next(iter(text.strip().splitlines()), "")
