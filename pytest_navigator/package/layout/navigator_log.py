"""`navigator.log`: the history of a suite's steps and its summary, as text (pure)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pytest_navigator.core.privacy import scrubber
from pytest_navigator.core.steps import Status
from pytest_navigator.package.layout.names import names_of, titles
from pytest_navigator.package.query.disputed import disputed
from pytest_navigator.package.query.strategies import best
from pytest_navigator.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_navigator.core.records import Outcome
    from pytest_navigator.package.query.results import Results
    from pytest_navigator.package.query.strategies import Figure

WIDTH = 100  # Columns of a banner

HINT = "You can disable error suppression for debugging with flag NAV_DEBUG=1"
UNVERIFIED = (
    "Initially models are not verified. Validate exported models with verify_* functions that ask for nav_runner "
    "to set models as verified."
)
MARKS = {Status.PASSED: "[ OK ]", Status.FAILED: "[FAIL]", Status.XFAILED: "[FAIL]", Status.SKIPPED: "[SKIP]"}
NOTES = {Status.XFAILED: " (expected)"}
EPOCH = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True)
class Row:
    """One step of the history and of the summary.

    Attributes:
        asked: when its item asked for it, where it ran ahead of that: there it stands in the history.
    """

    title: str
    status: Status
    started: datetime
    ended: datetime
    text: str = ""
    asked: datetime | None = None

    @property
    def told(self) -> datetime:
        """When its outcome was known to its item."""
        return max(self.ended, self.asked or self.ended)


def render(results: Results) -> str:
    """Return the text of navigator.log: times are UTC, one line a step, errors in full, the summary last."""
    rows = _rows(results)
    start, end = rows[0].started, max(row.told for row in rows)
    name = names_of(results.suite.framework).title
    lines = [
        _banner(start, f"Pipeline {name} pipeline started"),
        *_history(rows),
        _banner(end, "Navigator summary"),
        _banner(end, f"Pipeline {name} pipeline summary"),
        *(_summary(row, end) for row in rows),
        *_strategies(results, end),
        *_closing(results, end),
    ]
    return printable(scrubber()("\n".join(lines) + "\n"))


def _rows(results: Results) -> list[Row]:
    # Model Navigator's packing has steps of its own, for the samples and the configurations.
    rows = _step_rows(results)
    source = next((row for row in rows if row.title == "Fetch input model data"), None)
    end = max((row.told for row in rows), default=EPOCH)
    dumped = source.status if source and source.status is Status.PASSED else Status.SKIPPED
    at = source.ended if source else end
    dumps = [Row(f"Dump {side} model data", dumped, at, at, _because(dumped)) for side in ("input", "output")]
    configured = Status.PASSED if any(results.made(v.key) for v in results.suite.variants) else Status.SKIPPED
    position = rows.index(source) + 1 if source else 0
    return [
        *rows[:position],
        *dumps,
        *rows[position:],
        Row("Generate configurations for Navigator CLI", configured, end, end, _because(configured)),
    ]


def _because(status: Status) -> str:
    return "the model could not be run" if status is Status.SKIPPED else ""


def _step_rows(results: Results) -> list[Row]:
    rows: list[Row] = []
    for outcome, title in zip(results.outcomes, titles(results.suite, results.outcomes), strict=True):
        # A step that was skipped has no time of its own; it belongs after the one before.
        before = rows[-1].told if rows else None
        rows.append(_row(outcome, title, before))
    known = next((row.started for row in rows if row.started != EPOCH), EPOCH)
    return [replace(row, started=known, ended=known) if row.started == EPOCH else row for row in rows]


def _row(outcome: Outcome, title: str, before: datetime | None) -> Row:
    started = _time(outcome.started) if outcome.started else before or EPOCH
    asked = _time(outcome.notes.asked_at) if outcome.notes.asked_at else None
    return Row(title, outcome.status, started, started + timedelta(seconds=outcome.spent), _text(outcome), asked)


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


def _text(outcome: Outcome) -> str:
    """Return the detail of an outcome and, unless it is in there, its message with the type of the error."""
    if outcome.status in (Status.SKIPPED, Status.PASSED):
        return outcome.message
    detail, message = outcome.detail.rstrip(), outcome.message
    if message and message in detail:
        return detail
    return "\n".join(part for part in (detail, f"{outcome.error or 'Error'}: {message}") if part)


def _history(rows: Iterable[Row]) -> list[str]:
    events = [(row.asked or at, line) for row in rows for at, line in _events(row)]
    return [line for _, line in sorted(events, key=lambda event: event[0])]


def _events(row: Row) -> list[tuple[datetime, str]]:
    if row.status is Status.SKIPPED:
        return [(row.started, _line(row.started, "INFO", f"Command {row.title} skipped: {row.text}"))]
    started = (row.started, _banner(row.started, f"Command {row.title} started"))
    if row.status is Status.PASSED:
        return [started, *([(row.ended, _line(row.ended, "INFO", row.text))] if row.text else [])]
    error, hint = _line(row.ended, "ERROR", row.text + "\n"), _line(row.ended, "INFO", HINT)
    return [started, (row.ended, error), (row.ended, hint)]


def _summary(row: Row, at: datetime) -> str:
    level = "WARNING" if MARKS[row.status] == "[FAIL]" else "INFO"
    return _line(at, level, f"{MARKS[row.status]} {row.title}{NOTES.get(row.status, '')}")


def _strategies(results: Results, at: datetime) -> list[str]:
    # The live model has no file, and stands there by its name.
    open_ = disputed(results)
    return [
        line
        for name, figure in best(results).winners
        for line in (
            _line(at, "INFO", "").rstrip(),
            f"Strategy: {name}",
            f"  Latency: {figure.p50_latency:.4f} [ms]{_noted(figure)}",
            f"  Throughput: {figure.throughput:.4f} [infer/sec]{_noted(figure)}",
            f"  Runner: {figure.runner}",
            f"  Model: {results.variant(figure.key).place}",
            *(f"  Disturbed: {other.place} may be better" for other in open_.get(name, [])[1:]),
        )
    ]


def _noted(figure: Figure) -> str:
    return f" * ({figure.caveat})" if figure.caveat else ""


def _closing(results: Results, at: datetime) -> list[str]:
    verified = any(results.verified(key, runner) for key, runner in results.cells())
    texts = [
        *(f"Not run: {step}" for step in results.missing),
        *(f"Started and never finished, the process died in it: {step}" for step in results.unfinished),
        *([] if verified else [UNVERIFIED]),
    ]
    return [_line(at, "WARNING", text) for text in texts]


def _banner(at: datetime, text: str) -> str:
    return _line(at, "INFO", f"{'=' * 30} {text} ".ljust(WIDTH, "="))


def _line(at: datetime, level: str, text: str) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} {level:<8} Navigator API: {text}"
