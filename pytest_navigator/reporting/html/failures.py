"""A failed step, as a report shows it: which output and where, what the log says last, how to see it again (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_navigator.comparison.facts import output_reports
from pytest_navigator.comparison.tolerances import number
from pytest_navigator.comparison.verdicts import percent
from pytest_navigator.reporting.causes import test_name
from pytest_navigator.text import bounded

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_navigator.core.records import OutputReport
    from pytest_navigator.reporting.run_report import ModelReport

OUTPUTS = 20  # Rows of a failure's table
LINE = 1000  # Characters of a message
HEAD = ("output", "max abs", "max rel", "outside", "where", "rule", "would pass")


@dataclass(frozen=True)
class Failure:
    """One failed step.

    Attributes:
        rows: below `HEAD`: each output that is wrong.
        more: how many outputs have no row.
        command: what repeats the step; "" where nothing does.
    """

    name: str
    message: str
    error: str
    rows: tuple[tuple[str, ...], ...]
    more: int
    detail: str
    log: str
    command: str
    head: tuple[str, ...] = HEAD


def failures(model: ModelReport, room: int, repeating: Sequence[str]) -> Iterator[Failure]:
    """Yield every failed step.

    Args:
        room: characters for the details and the log of each.
        repeating: a command, but for the name of the script.
    """
    for outcome in model.failures:
        wrong = [report for report in output_reports(outcome) if report.problem]
        script = outcome.notes.script
        yield Failure(
            name=test_name(model.results, outcome),
            message=bounded(outcome.message or outcome.error, LINE),
            error=outcome.error,
            rows=tuple(map(_row, wrong[:OUTPUTS])),
            more=max(0, len(wrong) - OUTPUTS),
            # What the table has already is no detail.
            detail="" if wrong else bounded(outcome.detail, room // 2),
            log=bounded(model.logs.get(outcome.key, ""), room // 2),
            command=" ".join((*repeating, script)) if script else "",
        )


def _row(report: OutputReport) -> tuple[str, ...]:
    return (
        report.name,
        number(report.atol),
        number(report.rtol),
        f"{percent(report.mismatched, report.total)} of {report.total}",
        _where(report),
        report.used,
        report.suggestion or "nothing",
    )


def _where(report: OutputReport) -> str:
    if report.sample is None:
        return "-"
    index = f" [{','.join(map(str, report.index))}]" if report.index else ""
    return f"sample {report.sample}{f' ({report.case})' if report.case not in ('', 'batch') else ''}{index}"
