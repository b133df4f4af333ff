"""A suite's outcomes against what `nav_expected.toml` says of it (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from pytest_navigator.core.expected import CHECK, FAIL_SPEED, PASS
from pytest_navigator.gates.expected_outcomes import Found, Observed, observed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_navigator.core.expected import Expected, ExpectedLine
    from pytest_navigator.core.records import Outcome, SuiteRecord

UNFINISHED = "it is right; not all tests of its speed ran"


class Verdict(StrEnum):
    """How a cell stands to the file."""

    SAME = "same"
    BETTER = "better"
    WORSE = "worse"
    UNKNOWN = "unknown"
    VANISHED = "vanished"
    UNJUDGED = "unjudged"


@dataclass(frozen=True)
class Row:
    """The judgement of one cell, or of one format that was not made.

    Attributes:
        name: as the file has it.
        line: what is expected of it, by its own line or by the one that stands for it; None: the file does not know it.
        found: what became of it; None where nothing is known.
        own: whether `line` is its own.
        why: of what was not judged: the reason.
        cells: of a format: those of its own cells that this suite compares.
    """

    name: str
    verdict: Verdict
    line: ExpectedLine | None = None
    found: Found | None = None
    own: bool = True
    why: str = ""
    cells: tuple[str, ...] = ()


def judged(expected: Expected, suite: SuiteRecord, outcomes: Iterable[Outcome]) -> list[Row]:
    """Return a row for each cell that was checked and for each line of the file, in the order of their names.

    Args:
        expected: what the file says of this model, with what the run leaves out.
        outcomes: of the suite's steps; what is missing did not run, and is not judged.
    """
    seen = observed(suite, outcomes)
    rows = [_row(found, expected, seen) for found in seen.found.values()]
    rows += [_made(name, expected, seen) for name in seen.made if name in expected.lines]
    told = {row.name for row in rows}
    rows += [_left(name, expected, seen) for name in (*expected.lines, *seen.unjudged) if name not in told]
    return sorted({row.name: row for row in rows}.values(), key=lambda row: row.name)


def fails(row: Row, mode: str) -> bool:
    """Whether a run is not in order for this; for what is better, only where nothing is written: `mode` is `CHECK`."""
    better = row.verdict is Verdict.BETTER and mode == CHECK
    return better or row.verdict in (Verdict.WORSE, Verdict.VANISHED, Verdict.UNKNOWN)


def line_of(name: str, expected: Expected, seen: Observed) -> tuple[ExpectedLine | None, bool]:
    """Return the line that a cell or a format is judged by, and whether it is its own.

    A format that is expected to fail stands for all that is made from it; where a format has no line of its own, its
    cells say what is expected of it.
    """
    if name in expected.lines:
        return expected.lines[name], True
    above = [expected.lines[key] for key in seen.above.get(name, ()) if key in expected.lines]
    below = [expected.lines[cell] for cell in seen.cells.get(name, ()) if cell in expected.lines]
    return next((line for line in (*(line for line in above if not line.passes), *below)), None), False


def _row(found: Found, expected: Expected, seen: Observed) -> Row:
    line, own = line_of(found.name, expected, seen)
    if line is None:
        verdict = Verdict.UNJUDGED if found.requirement else Verdict.UNKNOWN
        return Row(found.name, verdict, None, found, why=found.requirement)
    if found.word == PASS and FAIL_SPEED in line.outcomes and not (line.passes or found.measured):
        return Row(found.name, Verdict.UNJUDGED, line, found, own, "its speed was not measured")
    verdict = _verdict(found.word, line)
    if verdict is Verdict.BETTER and found.unfinished:  # a pass is of its speed, too
        return Row(found.name, Verdict.UNJUDGED, line, found, own, UNFINISHED)
    return Row(found.name, verdict, line, found, own, cells=seen.cells.get(found.name, ()))


def _verdict(word: str, line: ExpectedLine) -> Verdict:
    if word in line.outcomes:
        return Verdict.SAME
    # A failure of another stage is one that nobody has agreed to, also where it comes later.
    return Verdict.BETTER if word == PASS else Verdict.WORSE


def _made(name: str, expected: Expected, seen: Observed) -> Row:
    line = expected.lines[name]
    found = Found(name, PASS, section=seen.made[name])
    return Row(name, _verdict(PASS, line), line, found, cells=seen.cells[name])


def _left(name: str, expected: Expected, seen: Observed) -> Row:
    """Judge a line that no outcome speaks of."""
    line = expected.lines.get(name)
    if name in expected.vanished:
        return Row(name, Verdict.VANISHED, line, why=expected.vanished[name])
    why = expected.absent.get(name) or seen.unjudged.get(name, "it was not checked in this run")
    return Row(name, Verdict.UNJUDGED, line, why=why)
