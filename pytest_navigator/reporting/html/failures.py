"""A failed step, as a report shows it: which output and where, what the log says last, how to see it again (pure)."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_navigator.comparison.divergence import to_leave_out
from pytest_navigator.comparison.facts import CorrectnessFacts, output_reports
from pytest_navigator.comparison.layer_errors import told
from pytest_navigator.comparison.tolerances import number
from pytest_navigator.comparison.verdicts import percent
from pytest_navigator.core.facts import facts_of
from pytest_navigator.reporting.causes import test_name
from pytest_navigator.reporting.report import cell_ids
from pytest_navigator.text import bounded

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_navigator.comparison.divergence import Divergence
    from pytest_navigator.core.records import Outcome, OutputReport
    from pytest_navigator.reporting.run_report import ModelReport

OTHERS = 5  # Further places
OUTPUTS = 20  # Rows of a failure's table
LINE = 1000  # Characters of a message
HEAD = ("output", "max abs", "max rel", "outside", "where", "rule", "would pass")


@dataclass(frozen=True)
class Failure:
    """One failed step.

    Attributes:
        rows: below `HEAD`: each output that is wrong.
        more: how many outputs have no row.
        divergence: where the numbers first go another way, by name.
        commands: what repeats the step, and what looks into it; none where nothing does.
    """

    name: str
    message: str
    error: str
    rows: tuple[tuple[str, ...], ...]
    more: int
    divergence: tuple[tuple[str, str], ...]
    detail: str
    log: str
    commands: tuple[str, ...]
    head: tuple[str, ...] = HEAD


def failures(model: ModelReport, room: int, repeating: Sequence[str]) -> Iterator[Failure]:
    """Yield every failed step.

    Args:
        room: characters for the details and the log of each.
        repeating: a command, but for the name of the script.
    """
    for outcome in model.failures:
        wrong = [report for report in output_reports(outcome) if report.problem]
        yield Failure(
            name=test_name(model.results, outcome),
            message=bounded(outcome.message or outcome.error, LINE),
            error=outcome.error,
            rows=tuple(map(_row, wrong[:OUTPUTS])),
            more=max(0, len(wrong) - OUTPUTS),
            divergence=tuple(_divergence(facts_of(outcome, CorrectnessFacts).divergence)),
            # What the table has already is no detail.
            detail="" if wrong else bounded(outcome.detail, room // 2),
            log=bounded(model.logs.get(outcome.key, ""), room // 2),
            commands=tuple(_commands(model, outcome, repeating)),
        )


def _commands(model: ModelReport, outcome: Outcome, repeating: Sequence[str]) -> list[str]:
    script = shlex.join(outcome.notes.script.split())  # whoever pastes it must not run what a package is called
    found = [" ".join((*repeating, script))] if outcome.notes.script else []
    if outcome.step == "correctness" and model.package and facts_of(outcome, CorrectnessFacts).divergence is None:
        (cell,) = cell_ids(model.results, [(outcome.key, outcome.runner)])
        found.append(shlex.join(("pytest-navigator", "diagnose", model.package.name, cell)))
    return found


def _divergence(found: Divergence | None) -> list[tuple[str, str]]:
    """Return what a diagnosis says, where it has found a place."""
    if found is None or not found.value:
        return []
    if found.layers:
        return _layers(found)
    ratio = f", {number(found.ratio)} × the next" if found.ratio else ""
    said = {
        "first divergence": found.place,
        "local error": f"{number(found.error)}{ratio}",
        "blamed": f"the {found.verdict}",
        "shapes": f"{', '.join(found.inputs)} → {found.output}" if found.inputs else found.output,
        "also": "; ".join(found.others[:OTHERS]),
        "computed again by": found.script,
    }
    return [(name, text) for name, text in said.items() if text]


def _layers(found: Divergence) -> list[tuple[str, str]]:
    said = {
        "worst layers": told(found.layers),
        "to leave out": to_leave_out(found),
        "known beside it": found.reason,
        "computed again by": found.script,
    }
    return [(name, text) for name, text in said.items() if text]


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
