"""What `--lf` runs again beside what failed: what was skipped because of that, which a fix lets run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_navigator.core.steps import Status

if TYPE_CHECKING:
    from pytest_navigator.core.records import Outcome
    from pytest_navigator.engine.workspace import SuiteFolder

LASTFAILED = "cache/lastfailed"  # pytest's own entry in its cache: node id -> True

# Attributes of a report, which xdist sends along: the failure that a skip follows from; a failure that is expected.
FOLLOWS, EXPECTED = "nav_follows", "nav_expected"


def tell_last_failed(report: pytest.TestReport, found: Outcome, folder: SuiteFolder) -> None:
    """Note in the report of a test what it has to do with a failed step.

    Args:
        found: the outcome that made the test what it is: of its own step, or of the one that it needs.
    """
    root = folder.record(found.cause) if found.cause else found
    if report.skipped and root is not None and root.status is Status.FAILED:
        setattr(report, EXPECTED if hasattr(report, "wasxfail") else FOLLOWS, f"{folder.path.name}: {root.id}")


class LastFailed:
    """Keeps such tests among those that failed last, in the process that keeps pytest's cache."""

    def __init__(self) -> None:
        self._follows: dict[str, str] = {}
        self._expected: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep what this test follows from; one that is run again by a plugin says so anew."""
        # That of the teardown comes after the one that said it.
        if report.when != "teardown":
            self._follows.pop(report.nodeid, None)
        if cause := getattr(report, FOLLOWS, ""):
            self._follows[report.nodeid] = cause
        self._expected.add(getattr(report, EXPECTED, ""))

    @pytest.hookimpl(trylast=True)  # pytest has written what failed by then
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Add them to the cache, unless what they follow from is no failure of this run."""
        cache = _cache(session.config)
        found = [nodeid for nodeid, cause in self._follows.items() if cause not in self._expected]
        if found and cache is not None:
            cache.set(LASTFAILED, {**cache.get(LASTFAILED, {}), **dict.fromkeys(found, True)})


def _cache(config: pytest.Config) -> pytest.Cache | None:
    return getattr(config, "cache", None)  # -p no:cacheprovider


def runs_last_failed(config: pytest.Config) -> bool:
    """Whether `--lf` may have left out everything but what failed last."""
    cache = _cache(config)
    return bool(cache and config.getoption("lf", False) and cache.get(LASTFAILED, {}))
