"""What `verify_` tests vouched for before, and do not any more (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.gates.rows import Row, Verdict

if TYPE_CHECKING:
    from pytest_navigator.core.records import Outcome
    from pytest_navigator.gates.sides import Cell, Side

BY_HAND = "set_verified"  # Stands for the node id of a `verify_` test
NO_TESTS = "this run collects no verify_ tests of the model"


def verified_rows(before: Side, after: Side) -> list[Row]:
    """Judge what was verified, of the cells that pass on both sides; known when everything has run."""
    return [row for cell in before.verified if after.passed(cell) and (row := _row(before, after, cell))]


def _row(before: Side, after: Side, cell: Cell) -> Row | None:
    if cell in after.verified:
        return None
    verdict, reason = _judged(before, after, cell)
    return Row("verified", after.cell_id(cell), True, False, verdict, reason)


def _judged(before: Side, after: Side, cell: Cell) -> tuple[Verdict, str]:
    if all(o.notes.nodeid == BY_HAND for o in _tests(before, cell)):
        return Verdict.NOT_JUDGED, f"{BY_HAND} has vouched for it, which no run repeats"
    if not after.suite.verify:
        return Verdict.NOT_JUDGED, NO_TESTS
    own = [nodeid for nodeid, of in after.suite.verify.items() if of == cell]
    ran = {o.notes.nodeid: o for o in _tests(after, cell)}
    if missing := [nodeid for nodeid in own if nodeid not in ran]:
        return Verdict.NOT_JUDGED, f"{missing[0]} did not run"
    if not own:
        return Verdict.WORSE, "no verify_ test is of it any more"
    bad = next((o for o in ran.values() if not o.passed), None)
    return Verdict.WORSE, f"{bad.notes.nodeid} {bad.status}" if bad else "its tests have seen another artifact"


def _tests(side: Side, cell: Cell) -> list[Outcome]:
    return [o for o in side.outcomes if o.step == "verify" and (o.key, o.runner) == cell]
