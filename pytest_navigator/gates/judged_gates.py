"""What gates make of a recorded run under another policy: an expected file, a baseline (pure)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_navigator.core.kinds import KINDS
from pytest_navigator.core.steps import Status
from pytest_navigator.gates.expected import Verdict as Expectation
from pytest_navigator.gates.expected import judged
from pytest_navigator.gates.regression import cell_rows, model_rows, unmeasured_rows
from pytest_navigator.gates.rows import Verdict
from pytest_navigator.gates.vouched import verified_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_navigator.core.expected import Expected
    from pytest_navigator.core.records import Outcome, SuiteRecord
    from pytest_navigator.gates.expected import Row as ExpectedRow
    from pytest_navigator.gates.judging import Item
    from pytest_navigator.gates.rows import Row
    from pytest_navigator.gates.sides import Side

STATUSES = {"PASSED": Status.PASSED, "FAILED": Status.FAILED, "SKIPPED": Status.SKIPPED, "XFAIL": Status.XFAILED}


def outcomes_now(outcomes: Sequence[Outcome], items: Sequence[Item]) -> tuple[Outcome, ...]:
    """Return the outcomes as the items have them; those that are not judged are left out.

    Args:
        items: of the outcomes, in their order; further ones are of what has none.
    """
    pairs = zip(outcomes, items, strict=False)
    return tuple(_now(outcome, item) for outcome, item in pairs if item.word in STATUSES)


def _now(outcome: Outcome, item: Item) -> Outcome:
    status = STATUSES[item.word]
    if status is outcome.status:
        return outcome
    error = "mismatch" if item.outputs and status is not Status.PASSED else ""
    return replace(outcome, status=status, message="" if status is Status.PASSED else item.text, error=error)


def met(suite: SuiteRecord, outcomes: Sequence[Outcome], requirement: str) -> bool:
    """Whether the machine of the run had what a section of an expected file requires, as far as the run tells."""
    if requirement in KINDS:
        ran = (suite.runners[o.runner].device for o in outcomes if o.runner and o.status is not Status.SKIPPED)
        return requirement in ran
    return not any(requirement in outcome.requirement for outcome in outcomes)


def tolerances(expected: Expected, names: set[str]) -> dict[str, dict[str, float]]:
    """Return the tolerances of an expected file, by the names of cells and formats that the run has."""
    return {name: dict(line.atol) for name, line in expected.lines.items() if line.atol and name in names}


def as_expected(items: Sequence[Item], rows: Sequence[ExpectedRow], outcomes: Sequence[Outcome]) -> list[Item]:
    """Return the items, those that fail as they are expected to as such."""
    same = {row.found.step: row for row in rows if row.found and row.verdict is Expectation.SAME}
    ids = [outcome.id for outcome in outcomes]
    ids += [""] * (len(items) - len(ids))
    return [
        replace(item, word="XFAIL", text=f"{row.line.reason}: {item.text}")
        if item.word == "FAILED" and (row := same.get(id)) and row.line
        else item
        for id, item in zip(ids, items, strict=True)
    ]


def expected_rows(expected: Expected, suite: SuiteRecord, outcomes: Sequence[Outcome]) -> list[ExpectedRow]:
    """Return how each cell stands to an expected file."""
    return judged(expected, suite, outcomes)


def expected_line(row: ExpectedRow, file: str) -> str:
    """Return one of them for people; "" where there is nothing to say."""
    if row.verdict is Expectation.SAME:
        return ""
    found, line = row.found.word if row.found else "-", row.line.text if row.line else "nothing"
    why = row.why or (row.found.message if row.found else "")
    return f"expected: {row.name}: {row.verdict}: {found}, where {file} has {line}{f' ({why})' if why else ''}"


def baseline_rows(before: Side, after: Side, most: float | None) -> list[Row]:
    """Return what is not as it was in a baseline; `most` is the share by which artifacts and memory may grow."""
    cells = (row for cell in after.cells for row in cell_rows(before, after, cell, most))
    found = [*model_rows(before, after), *cells, *verified_rows(before, after), *unmeasured_rows(before, after)]
    return [row for row in found if row.verdict is not Verdict.SAME and row.topic != "latency"]
