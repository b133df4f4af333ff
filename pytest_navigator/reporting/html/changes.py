"""What is another way than in the baseline, as a report shows it (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_navigator.gates.row_text import row_line
from pytest_navigator.gates.rows import Verdict
from pytest_navigator.reporting.regressions import comparison

if TYPE_CHECKING:
    from pytest_navigator.package.query.results import Results

MOST = 100  # Rows
# Verdict -> the sign before it, and its class; what is the same has no row.
SIGNS = {
    Verdict.WORSE: ("✗", "bad"),
    Verdict.DIFFERENT: ("≠", "known"),
    Verdict.BETTER: ("✓", "good"),
    Verdict.INCONCLUSIVE: ("?", "known"),
    Verdict.NOT_JUDGED: ("–", "off"),
}


@dataclass(frozen=True)
class Change:
    """One thing that is not the same."""

    verdict: str
    sign: str
    kind: str
    text: str


@dataclass(frozen=True)
class Changes:
    """The comparison with a baseline: with which one, how many things are how, and those that are not the same."""

    since: str
    counts: str
    rows: tuple[Change, ...]


def changes(results: Results) -> Changes | None:
    """Return what a comparison with a baseline found, what is worse first; None: there was none."""
    found = comparison(results)
    if found is None:
        return None
    rows = [
        Change(str(verdict), *SIGNS[verdict], row_line(row))
        for verdict in SIGNS
        for row in found.rows
        if row.verdict is verdict
    ]
    return Changes(found.since, found.counts or "nothing in common", tuple(rows[:MOST]))
