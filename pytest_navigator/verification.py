"""`verify_` tests: the fixtures that they ask for, and the record that they leave."""

from __future__ import annotations

import hashlib
from datetime import UTC
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from pytest_navigator.item import suite_item
from pytest_navigator.item import suite_of
from pytest_navigator.matrix import Step
from pytest_navigator.records import Outcome
from pytest_navigator.records import Status

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_navigator.proxies import RunnerProxy
    from pytest_navigator.proxies import SourceProxy
    from pytest_navigator.run import Run
    from pytest_navigator.run import Suite


class Fixtures:
    """The plugin's fixtures; `nav_model` is not among them."""

    @pytest.fixture
    def nav_runner(self, request: pytest.FixtureRequest) -> Iterator[RunnerProxy]:
        """A format in a runtime, called like the model; parametrized over all that run from a file.

        It lives in the child and is activated once per test: for checking results, not for timing. A source that
        nothing is exported from runs itself, in this process.
        """
        from pytest_navigator.proxies import RunnerProxy

        item = suite_item(request)
        key, runtime = request.param
        runner = item.runner(key, runtime)
        found = item.outcome(Step("correctness", key, runner))
        if found.status is Status.SKIPPED:
            pytest.skip(found.message)
        if not found.passed:
            pytest.skip(f"{found.id} {found.status.value}: {found.message}")
        proxy = RunnerProxy(item, key, runner)
        with proxy:
            yield proxy

    @pytest.fixture
    def nav_source_runner(self, request: pytest.FixtureRequest) -> Iterator[SourceProxy]:
        """The user's own model, called in the same way as `nav_runner`."""
        from pytest_navigator.proxies import SourceProxy

        item = suite_item(request)
        found = item.outcome(Step("source"))
        if not found.passed:
            pytest.skip(f"source {found.status.value}: {found.message}")
        source = item.live.source()
        with source.preserved():
            yield SourceProxy(source, item.suite.folder.signature)

    @pytest.fixture
    def nav_package(self, request: pytest.FixtureRequest) -> Path:
        """The folder of the run's package so far: `status.yaml` and the rest are written into it at the end."""
        return suite_item(request).suite.folder.path

    @pytest.fixture(scope="session")
    @classmethod
    def nav_dataloader(cls) -> None:
        """Stand in for the user's loader: there is none."""


def record(item: pytest.Function, report: pytest.TestReport, run: Run) -> None:
    """Note what a `verify_` test of a runner found: it failed if any of its phases did."""
    cell = getattr(item, "callspec", None) and item.callspec.params.get("nav_runner")
    if not isinstance(cell, tuple) or report.skipped or (report.when != "call" and not report.failed):
        return
    suite = suite_of(item, run)
    key, runtime = cell
    runner = suite.matrix.runner_of(key, runtime)
    outcome = Outcome(
        step="verify",
        status=Status.FAILED if report.failed else Status.PASSED,
        key=key,
        runner=runner,
        message=report.longreprtext.splitlines()[-1] if report.failed and report.longreprtext else "",
        duration=report.duration,
        started=datetime.now(UTC).isoformat(),
        digest=_digest(suite, key, runner),
        data={"nodeid": item.nodeid},
    )
    suite.folder.write(outcome, suffix="." + hashlib.sha256(item.nodeid.encode()).hexdigest()[:12])


def _digest(suite: Suite, key: str, runner: str) -> str:
    """Return what tells the artifact that was verified from another one; of the live source, its fingerprint."""
    if suite.matrix.runners[runner].live:
        source = suite.folder.record("source")
        return str(source.data.get("fingerprint", "")) if source else ""
    checked = suite.folder.record(Step("correctness", key, runner).id)
    return checked.digest if checked else ""
