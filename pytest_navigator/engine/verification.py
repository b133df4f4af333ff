"""What a user's own test of a runner found, as an outcome."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pytest_navigator.core.facts import SourceFacts, facts_of
from pytest_navigator.core.records import Outcome
from pytest_navigator.core.steps import Step

if TYPE_CHECKING:
    from pytest_navigator.core.steps import Status
    from pytest_navigator.engine.suite import Suite


def record_verification(
    suite: Suite, key: str, runner: str, status: Status, message: str, duration: float, nodeid: str
) -> None:
    """Write what one test found of one runner.

    Args:
        duration: in s.
        nodeid: of the test.
    """
    outcome = Outcome(
        step="verify",
        status=status,
        key=key,
        runner=runner,
        message=message,
        duration=duration,
        started=datetime.now(UTC).isoformat(),
        digest=_digest(suite, key, runner),
        data={"nodeid": nodeid},
    )
    suite.folder.write_verification(outcome)


def _digest(suite: Suite, key: str, runner: str) -> str:
    """Return what tells the artifact that was verified from another one; of the live source, its fingerprint."""
    if suite.matrix.runners[runner].live:
        source = suite.folder.record("source")
        return facts_of(source, SourceFacts).fingerprint or ""
    checked = suite.folder.record(Step("correctness", key, runner).id)
    return checked.digest if checked else ""
