"""`verify_` tests: the fixtures that they ask for, and the record that they leave."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_navigator.core.steps import Status, Step
from pytest_navigator.plugin.collection import NODEID, is_whole
from pytest_navigator.plugin.item import OUTCOME, suite_item, suite_of
from pytest_navigator.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from pytest_navigator.core.plain import JSON
    from pytest_navigator.engine.proxies import RunnerProxy, SourceProxy
    from pytest_navigator.plugin.item import SuiteItem
    from pytest_navigator.plugin.pipeline_runner import PipelineRunner
    from pytest_navigator.plugin.places import Place
    from pytest_navigator.plugin.run import Run
    from pytest_navigator.plugin.whole import WholeItem


OF_ONE_RUNNER = {"nav_runner", "nav_source_runner"}


class Fixtures:
    """The plugin's fixtures; `nav_model` is not among them."""

    @pytest.fixture
    def navigator(self, request: pytest.FixtureRequest) -> SuiteItem:
        """The suite, seen from one of its items."""
        return suite_item(request)

    @pytest.fixture
    def nav_runner(self, request: pytest.FixtureRequest) -> Iterator[RunnerProxy]:
        """A format in a runtime, called like the model; parametrized over all that run from a file.

        It lives in the child and is activated once per test: for checking results, not for timing. A source that
        nothing is exported from runs itself, in this process.
        """
        from pytest_navigator.engine.proxies import RunnerProxy

        item = suite_item(request)
        key, runtime = request.param
        runner = item.runner(key, runtime)
        found = request.node.stash[OUTCOME] = item.outcome(Step("correctness", key, runner))
        if found.status is Status.SKIPPED:
            pytest.skip(one_line(found.message))
        if not found.passed:
            pytest.skip(f"{found.id} {found.status.value}: {one_line(found.message)}")
        proxy = RunnerProxy(item.run, item.suite, item.live, key, runner)
        with proxy:
            yield proxy

    @pytest.fixture
    def navigator_pipeline(self, request: pytest.FixtureRequest) -> WholeItem:
        """The whole pipeline, seen from one of its items."""
        from pytest_navigator.plugin.whole import WholeItem

        return WholeItem(request)

    @pytest.fixture
    def nav_pipeline_runner(self, request: pytest.FixtureRequest) -> Iterator[PipelineRunner]:
        """The pipeline of `nav_pipeline` with formats in the places of its modules, called like it.

        Parametrized over one format and runtime in all modules, and the best of each. A module whose format is not
        right stays as it is. The formats run in the child: for checking results, not for timing.
        """
        from pytest_navigator.plugin.pipeline_runner import pipeline_runner

        if not hasattr(request, "param"):
            pytest.fail(f"{request.node.nodeid} sees no nav_pipeline: move it below one", pytrace=False)
        with pipeline_runner(request, request.param) as runner:
            yield runner

    @pytest.fixture
    def nav_source_runner(self, request: pytest.FixtureRequest) -> Iterator[SourceProxy]:
        """The user's own model, called in the same way as `nav_runner`."""
        from pytest_navigator.engine.proxies import SourceProxy

        item = suite_item(request)
        found = request.node.stash[OUTCOME] = item.outcome(Step("source"))
        if not found.passed:
            pytest.skip(f"source {found.status.value}: {one_line(found.message)}")
        if package := item.suite.package:
            pytest.skip(f"{package.path.name} is the source, and a package holds no live model")
        source = item.live.source()
        with source.preserved():
            yield SourceProxy(source, item.suite.folder.signature, item.run.workspace)

    @pytest.fixture
    def nav_package(self, request: pytest.FixtureRequest) -> Path:
        """The folder of the run's results so far, which `nav.load` opens as a package.

        In a test that asks for no runner, they are those of every step that this run selects of the model.
        """
        item = suite_item(request)
        if not OF_ONE_RUNNER & set(request.fixturenames):
            item.finish()
        return item.suite.folder.path

    @pytest.fixture
    def nav_suite(self, request: pytest.FixtureRequest) -> Place:
        """Which one of several models of `--nav-model` a `verify_` test is of: its parameter."""
        place: Place = request.param
        return place

    @pytest.fixture(scope="session")
    @classmethod
    def nav_dataloader(cls) -> object:
        """Stand in for the user's loader: there is none."""
        from pytest_navigator.samples.reading import NO_LOADER

        return NO_LOADER


def collected(items: Iterable[pytest.Function], run: Run) -> dict[str, dict[str, tuple[str, str]]]:
    """Return the `verify_` tests of runners by the node of their suite: node id -> key and runner."""
    found: dict[str, dict[str, tuple[str, str]]] = {}
    for item in items:
        if cell := _cell(item):
            suite = suite_of(item, run)
            item.stash[NODEID] = item.nodeid
            found.setdefault(suite.nodeid, {})[item.nodeid] = cell[0], suite.matrix.runner_of(*cell)
    return found


def record(item: pytest.Function, report: pytest.TestReport, run: Run) -> None:
    """Note what a `verify_` test of a runner found: it failed if any of its phases did."""

    from pytest_navigator.engine.verification import record_verification

    if is_whole(item):
        _record_whole(item, report, run)
        return
    cell, status = _cell(item), _status(report)
    if not cell or not status:
        return
    suite = suite_of(item, run)
    key, runner = cell[0], suite.matrix.runner_of(*cell)
    message = "" if status is Status.PASSED else _reason(report)
    record_verification(suite, key, runner, status, message, report.duration, item.stash[NODEID])


def _record_whole(item: pytest.Function, report: pytest.TestReport, run: Run) -> None:
    """Note what a test of a whole pipeline found."""
    from pytest_navigator.plugin.pipelines import pipeline_of

    status = _status(report)
    mix = pipeline_of(item, run).verify.get(item.stash.get(NODEID, ""))
    if mix and status:
        from pytest_navigator.core.pipeline_facts import VERIFY
        from pytest_navigator.core.records import Outcome

        message = "" if status is Status.PASSED else _reason(report)
        data: dict[str, JSON] = {"nodeid": item.stash[NODEID], "run": run.id}
        found = Outcome(VERIFY, status, mix, message=message, duration=report.duration, data=data)
        pipeline_of(item, run).folder.write_verification(found)


def _cell(item: pytest.Function) -> tuple[str, str] | None:
    """Return the key and the runtime that an item verifies; a `verify_` test without `nav_runner` verifies none."""
    callspec = getattr(item, "callspec", None)
    cell = callspec.params.get("nav_runner") if callspec else None
    return cell if isinstance(cell, tuple) else None


def _status(report: pytest.TestReport) -> Status | None:
    """Return what one phase says of the whole test, None for nothing."""
    if report.failed:
        return Status.FAILED
    if report.when == "teardown":
        return None
    if report.skipped:
        return Status.XFAILED if hasattr(report, "wasxfail") else Status.SKIPPED
    return Status.PASSED if report.when == "call" else None


def _reason(report: pytest.TestReport) -> str:
    """Return the one line that pytest's own summary has."""
    if hasattr(report, "wasxfail"):
        text = report.wasxfail
    elif isinstance(report.longrepr, tuple):
        text = report.longrepr[2].removeprefix("Skipped: ")
    elif crash := getattr(report.longrepr, "reprcrash", None):
        text = crash.message.removeprefix("Failed: ")
    else:  # a fixture that does not exist
        text = getattr(report.longrepr, "errorstring", report.longreprtext)
    return next(iter(text.strip().splitlines()), "")
