"""Outcomes -> text for people (pure)."""

from __future__ import annotations

import shlex
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

from pytest_navigator.comparison.facts import CorrectnessFacts, output_reports
from pytest_navigator.comparison.tolerances import number
from pytest_navigator.core.facts import facts_of
from pytest_navigator.core.records import earlier_text
from pytest_navigator.core.steps import Status
from pytest_navigator.package.query.results import MADE
from pytest_navigator.planning.groups import left_out
from pytest_navigator.planning.here import elsewhere, steps
from pytest_navigator.reporting.budgets import budgets
from pytest_navigator.reporting.compilations import compilations
from pytest_navigator.reporting.disturbances import disturbances
from pytest_navigator.reporting.generations import generations
from pytest_navigator.reporting.interpreters import interpreters
from pytest_navigator.reporting.quantizations import quantizations
from pytest_navigator.reporting.regressions import regressions
from pytest_navigator.reporting.summary_figures import CAVEAT, Measured, caveats, p50, searches, strategies, throughput
from pytest_navigator.text import LINE, bounded, columns, one_line, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from pytest_navigator.core.records import Outcome
    from pytest_navigator.package.query.results import Results

HEADINGS = ("format", "runner", "made", "correctness", "max abs", "p50 ms", "infer/s at p50", "speed-up", "verified")
DETAIL = 32  # Lines of a failure's details that the terminal shows

WORDS = {Status.PASSED: "ok", Status.FAILED: "FAILED", Status.SKIPPED: "skipped", Status.XFAILED: "xfailed"}


def failure_text(outcome: Outcome, folder: Path, command: Sequence[str] = ()) -> str:
    """Return what a failed item says: the one-line reason first, then the details, the log and the script.

    Args:
        command: what starts the Python that the script is for; () is this one.
    """
    lines = [outcome.message, *([_shortened(outcome.detail)] if outcome.detail else [])]
    if outcome.key:
        lines.append(f"log: {folder / outcome.key / 'format.log'}")
    script = outcome.notes.script
    if script:
        # The script takes the python of the PATH, which is another one where no environment is activated.
        *before, python = command or [sys.executable]
        where = f", where {shlex.join(before)} leads" if before else ""
        lines.append(f"reproduce, from {folder}{where}: PYTHON={shlex.quote(python)} bash {script}")
    return printable("\n".join(lines))


def _shortened(detail: str) -> str:
    # An exporter's traceback has hundreds of lines, and the log has them all.
    lines = detail.splitlines()
    if len(lines) > DETAIL:
        said = f"... {len(lines) - DETAIL} more lines in the log ..."
        lines = [*lines[: DETAIL // 4], said, *lines[-DETAIL * 3 // 4 :]]
    return bounded("\n".join(lines), LINE)


def summary(results: Results) -> list[str]:
    """Return the summary of one suite: a row per format and runner, the best, the folded skips and caveats."""
    rows = matrix(results)
    table = columns([HEADINGS, *rows]) if rows else []
    lines = [
        title(results),
        *table,
        *_not_made(results),
        *_declined(results),
        *strategies(results),
        *disturbances(results),
        *searches(results),
        *generations(results),
        *budgets(results),
        *regressions(results),
        *notes(results),
    ]
    return list(map(one_line, lines))


def matrix(results: Results) -> list[tuple[str, ...]]:
    """Return a row of texts for each format and runner, and each format that could not be made, below `HEADINGS`."""
    figures = Measured(results)
    rows = [_row(results, figures, key, runner) for key, runner in results.cells() if _shown(results, key, runner)]
    shown = {row[0] for row in rows}
    rows += [_unmade(each) for each in unmade(results) if each.key not in shown]
    order = [variant.key for variant in results.suite.variants]
    return sorted(rows, key=lambda row: order.index(row[0]))


def unmade(results: Results) -> list[Outcome]:
    """Return the outcome of each format that could not be made: it failed, or what it is made from did.

    What is not here is told by its requirement: on a machine without a GPU, rows of it would be most of a table.
    """
    if results.source and not results.source.passed:
        return []
    making = (o for o in results.outcomes if o.step in MADE and o.key)
    return [o for o in making if not (o.passed or o.requirement)]


def _unmade(made: Outcome) -> tuple[str, ...]:
    return (made.key, "-", WORDS[made.status], *["-"] * (len(HEADINGS) - 3))


def notes(results: Results) -> list[str]:
    """Return what else there is to know of a suite, a line each: what was not checked, caveats, skips, machines."""
    return [
        *quantizations(results),
        *compilations(results),
        *unchecked_lines(results),
        *caveats(results),
        *_earlier(results.outcomes),
        *skips(results.outcomes),
        *elsewhere(results.suite.elsewhere),
        *left_out(results.suite.lacking),
        *_machines(results),
        *interpreters(results.outcomes),
    ]


def title(results: Results) -> str:
    """Return how the summary of a suite begins."""
    return f"{results.suite.name} ({results.suite.framework})"


def unchecked(results: Results) -> dict[tuple[str, str], list[tuple[str, str]]]:
    """Return the cells that passed whatever the values of an output are, by that output and the reason for it."""
    found: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for key, runner in results.cells():
        checked = results.correctness(key, runner)
        facts = facts_of(checked if checked and checked.passed else None, CorrectnessFacts)
        for output, rule in facts.rules.items():
            if rule.kind == "unchecked":
                found.setdefault((output, rule.note), []).append((key, runner))
    return found


def unchecked_lines(results: Results) -> list[str]:
    """Return a line for each output that passes whatever its values are."""
    return [
        f"unchecked: {output}: {reason} ({cell_texts(results, cells)})"
        for (output, reason), cells in unchecked(results).items()
    ]


def cell_texts(results: Results, cells: Sequence[tuple[str, str]]) -> str:
    """Return cells as item ids write them."""
    return ", ".join(cell_ids(results, cells))


def cell_ids(results: Results, cells: Iterable[tuple[str, str]]) -> list[str]:
    """Return each cell as item ids write it; the key alone where there is no runner."""
    return [f"{key}-{results.suite.runners[runner].runtime}" if runner else key for key, runner in cells]


def _row(results: Results, figures: Measured, key: str, runner: str) -> tuple[str, ...]:
    made, checked = results.made(key), results.correctness(key, runner)
    figure = figures.best(key, runner)
    tolerance = max((report.atol for report in output_reports(checked)), default=None) if checked else None
    return (
        key,
        runner,
        _word(made) if results.variant(key).file else "-",
        _word(checked),
        "-" if tolerance is None else number(tolerance),
        p50(figure) if figure else "-",
        throughput(figure) if figure else "-",
        figures.speed_up(figure),
        _verified(results, key, runner),
    )


def _verified(results: Results, key: str, runner: str) -> str:
    if results.verified(key, runner):
        return "yes"
    found = {outcome.status for outcome in results.verifications(key, runner)}
    worst = next((status for status in (Status.FAILED, Status.XFAILED, Status.SKIPPED) if status in found), None)
    return WORDS[worst] if worst else "not run" if results.unverified(key, runner) else "-"


def _word(outcome: Outcome | None) -> str:
    return (outcome.earlier[0] or WORDS[outcome.status]) if outcome else "not run"


def _not_made(results: Results) -> list[str]:
    """Return a line for the source that is not fit and for every format that could not be made, with the reason."""
    made = [o for o in results.outcomes if o.step in ("source", "export", "convert") and o.failed]
    return [f"{WORDS[o.status]}: {f'{o.step} {o.key}'.strip()}: {o.message}" for o in made]


def _declined(results: Results) -> list[str]:
    # No test that failed says why.
    found = [o for o in results.outcomes if o.status is Status.XFAILED and o.step in ("correctness", "profile")]
    lines = [f"{WORDS[o.status]}: {o.step} {o.key} {o.runner}: {o.message}" for o in found]
    return list(dict.fromkeys(lines))  # a profile item for each batch size


def _earlier(outcomes: Sequence[Outcome]) -> list[str]:
    """Return a line for each day of which there are outcomes of earlier runs."""
    days: dict[str, list[str]] = {}
    for outcome in outcomes:
        if day := earlier_text(*outcome.earlier):
            days.setdefault(day, []).append(outcome.id)
    figures = any(o.step == "profile" and any(o.earlier) for o in outcomes)
    marked = [f"note: figures of an earlier run have a mark ({CAVEAT} above)"] if figures else []
    return [*(f"{day}: {', '.join(steps)}" for day, steps in sorted(days.items())), *marked]


def _shown(results: Results, key: str, runner: str) -> bool:
    """Whether a cell has a row: not where source or format failed, the machine cannot run it, or nothing of it ran."""
    if results.source and not results.source.passed:
        return False
    made, checked = results.made(key), results.correctness(key, runner)
    if made is None and checked is None:
        return False
    if _unavailable(results, key, runner):
        return made is not None and made.passed and runner == _only_made(results, key)
    return made is None or made.passed


def _unavailable(results: Results, key: str, runner: str) -> bool:
    checked = results.correctness(key, runner)
    return checked is not None and checked.status is Status.SKIPPED and bool(checked.requirement)


def _only_made(results: Results, key: str) -> str:
    """Return the runner whose row shows that a format was made which this machine cannot run at all."""
    runners = results.variant(key).runners
    return runners[0] if all(_unavailable(results, key, runner) for runner in runners) else ""


def skips(outcomes: Sequence[Outcome]) -> list[str]:
    """Return a line for each thing that is not here, with how many steps need it."""
    # One line a requirement: a machine without a GPU would have dozens.
    counts: Counter[str] = Counter(o.requirement for o in outcomes if o.status is Status.SKIPPED and o.requirement)
    return [f"skipped: {steps(count)}: {requirement}" for requirement, count in counts.items()]


def _machines(results: Results) -> list[str]:
    """Return a line for each machine of a merged package, with how many of the outcomes are from it."""
    counts = Counter(o.notes.machine for o in results.outcomes)
    others = Counter(o.notes.machine for o in results.others)
    lines = [
        f"machine: {name} ({_device(machine.get('environment') or {})}): {counts[name]} steps"
        + (f", and {others[name]} that another machine's stand for" if others[name] else "")
        for name, machine in results.machines.items()
    ]
    measured = dict.fromkeys(o.notes.machine for o in results.outcomes if o.step == "profile" and o.passed)
    if len(measured) > 1:
        # One machine may be fast, and its format slow.
        lines.append(
            f"note: figures are of {' and '.join(measured)}: the best of them need not be the best of one machine"
        )
    return lines


def _device(environment: Mapping[str, Any]) -> str:
    device = environment.get("gpu") or environment.get("cpu") or {}
    return str(device.get("name", "unknown"))
