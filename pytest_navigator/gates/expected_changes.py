"""What a run may write into `nav_expected.toml`: what is new, what is better, what somebody lets it loosen (pure)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pytest_navigator.comparison.tolerances import number
from pytest_navigator.core.expected import FAIL_CORRECTNESS, PASS, TIGHTEN, UPDATE, ExpectedLine
from pytest_navigator.gates.expected import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_navigator.core.expected import Expected, ExpectedOption
    from pytest_navigator.gates.expected import Row
    from pytest_navigator.gates.expected_outcomes import Found

ROOM = 4  # A tolerance is written as this many times what was measured
NOISE = 10  # One that stands there is tightened only if this many times less would do
STEPS = (1, 2, 5, 10)


@dataclass(frozen=True)
class Change:
    """One line that is written, or taken out.

    Attributes:
        name: of the line.
        line: as it is to be; None: it is taken out, since other lines say more.
        before: as this run has read it; None: it was not there.
        text: what is done, for people.
    """

    name: str
    line: ExpectedLine | None
    before: ExpectedLine | None
    text: str


@dataclass(frozen=True)
class Plan:
    """What a run writes, and what it was told to write and does not.

    Attributes:
        settled: names of the rows that are in order once this is written.
    """

    changes: list[Change] = field(default_factory=list)
    settled: set[str] = field(default_factory=set)


def rounded(value: float) -> float:
    """Return the smallest of 1, 2 and 5 times a power of ten that is not below `value`; 0 for 0."""
    if value <= 0:
        return 0.0
    exponent = math.floor(math.log10(value))
    candidates = (float(f"{step}e{power}") for power in (exponent - 1, exponent) for step in STEPS)
    return next((each for each in candidates if each >= value * (1 - 1e-9)), float(f"2e{exponent + 1}"))


def allowed(measured: float) -> float:
    """Return the tolerance that is written for a measured difference."""
    return rounded(ROOM * measured)


def tightened(line: ExpectedLine, measured: Mapping[str, float]) -> ExpectedLine | None:
    """Return a line with the tolerances that are much too large made smaller; None if none is.

    One that nobody measured stays, and so does one of an output that is equal: there is nothing to round up.
    """
    new = {output: allowed(measured[output]) for output in line.atol if measured.get(output)}
    smaller = {n: atol for n, atol in new.items() if ROOM * measured[n] < line.atol[n] / NOISE and atol < line.atol[n]}
    if not smaller:
        return None
    return ExpectedLine(line.outcomes, line.atol | smaller, line.reason, line.section)


def planned(rows: Sequence[Row], expected: Expected, option: ExpectedOption) -> Plan:
    """Return what a run writes that came to its end."""
    plan = Plan()
    if option.mode not in (TIGHTEN, UPDATE):
        return plan
    for row in sorted(rows, key=lambda row: bool(row.cells)):  # a format's cells first
        change = _change(row, expected, option)
        if change is not None and (change.line is not None or _known(row, rows, plan)):
            plan.changes.append(change)
            plan.settled.add(row.name)
    return plan


def _known(row: Row, rows: Sequence[Row], plan: Plan) -> bool:
    """Whether the lines of a format's cells say all, so that its own can go."""
    good = {each.name for each in rows if each.verdict is Verdict.SAME} | plan.settled
    return good.issuperset(row.cells)


def after(expected: Expected, changes: Iterable[Change]) -> Expected:
    """Return what a file says once changes are written."""
    lines = dict(expected.lines)
    for change in changes:
        if change.line is None:
            del lines[change.name]
        else:
            lines[change.name] = change.line
    return replace(expected, lines=lines)


def useless(option: ExpectedOption, rows: Iterable[Row]) -> list[str]:
    """Return the names that were to be loosened and are not worse."""
    worse = {name for row in rows if row.verdict is Verdict.WORSE for name in (row.name, *row.cells)}
    return [name for name in option.loosen if name not in worse]


def _change(row: Row, expected: Expected, option: ExpectedOption) -> Change | None:
    found, updates = row.found, option.mode == UPDATE
    if found is None:
        return None
    if row.verdict is Verdict.SAME and row.own and row.line and found.word == PASS:
        return _tighter(row, row.line, found)
    if row.verdict is Verdict.BETTER:
        return _better(row, expected, found)
    if row.verdict is Verdict.UNKNOWN and updates and not (found.word == PASS and found.unfinished):
        line = _new(found, option.reason)
        return Change(row.name, line, None, f"added: {row.name} = {line.text}")
    if row.verdict is Verdict.WORSE and updates and {row.name, *row.cells}.intersection(option.loosen):
        return _looser(row, expected, option, found)
    return None


def _tighter(row: Row, line: ExpectedLine, found: Found) -> Change | None:
    new = tightened(line, found.atol)
    if new is None:
        return None
    outputs = [f"{o} {number(line.atol[o])} -> {number(new.atol[o])}" for o in new.atol if new.atol[o] != line.atol[o]]
    return Change(row.name, new, line, f"tightened: {row.name}: atol of {', '.join(outputs)}")


def _better(row: Row, expected: Expected, found: Found) -> Change:
    before = expected.lines.get(row.name)
    what = f"{row.name} passes" + (f" (was {row.line.text})" if row.line else "")
    # Of a format that runners run, its cells say all: their lines take the place of its own.
    line = None if row.own and row.cells else _new(found, section=before.section if before else None)
    return Change(row.name, line, before, f"tightened: {what}")


def _looser(row: Row, expected: Expected, option: ExpectedOption, found: Found) -> Change:
    before = expected.lines.get(row.name)
    section = before.section if before else None
    if found.word == FAIL_CORRECTNESS and before is not None and before.passes:
        larger = _larger(before, found)
        if larger:  # else no tolerance would let it pass the next time
            line = ExpectedLine(before.outcomes, before.atol | larger, option.reason, before.section)
            told = [f"{o} {_number(before.atol.get(o))} -> {number(atol)}" for o, atol in larger.items()]
            return Change(row.name, line, before, f"loosened: {row.name}: atol of {', '.join(told)}")
    line = _new(found, option.reason, section)
    if before is not None and len(before.outcomes) > 1:
        line = ExpectedLine((*before.outcomes, found.word), before.atol, option.reason, before.section)
    return Change(row.name, line, before, f"loosened: {row.name} = {line.text} ({option.reason})")


def _larger(before: ExpectedLine, found: Found) -> dict[str, float]:
    """Return the tolerances that the outputs which failed need; none where one of them has it already, and failed."""
    needed = {output: allowed(found.atol[output]) for output in found.failed if output in found.atol}
    grown = len(needed) == len(found.failed) and all(atol > before.atol.get(o, 0) for o, atol in needed.items())
    return needed if grown else {}


def _number(atol: float | None) -> str:
    return "default" if atol is None else number(atol)


def _new(found: Found, reason: str = "", section: str | None = None) -> ExpectedLine:
    """Return the line of what was found."""
    section = found.section if section is None else section
    if found.word != PASS:
        why = reason or found.reason or found.word
        return ExpectedLine((found.word,), {}, why, section)
    atol = {output: allowed(measured) for output, measured in sorted(found.atol.items()) if measured > 0}
    return ExpectedLine((PASS,), atol, "", section)
