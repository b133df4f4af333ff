"""`--nav-baseline`: what is worse than it was, of a model and of each of its cells (pure).

`pytest-navigator diff` asks the same functions.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pytest_navigator.comparison.tolerances import number
from pytest_navigator.core.facts import SourceFacts, facts_of
from pytest_navigator.gates.accuracy import accuracy_rows
from pytest_navigator.gates.coverage import cell_coverage, format_coverage, lost_cells
from pytest_navigator.gates.facts import FASTER, INCONCLUSIVE, NOT_JUDGED, SLOWER, UNCHANGED, SpeedFacts
from pytest_navigator.gates.growth import latency_rows, memory_rows, size_rows
from pytest_navigator.gates.rows import Row, Verdict, worse
from pytest_navigator.gates.signature import signature_rows, spec_text
from pytest_navigator.gates.speed import speed_line

UNMEASURED = "both artifacts have to run for it: pytest --nav-baseline"

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_navigator.core.plain import JSON
    from pytest_navigator.core.records import OutputReport
    from pytest_navigator.gates.sides import Cell, Side


def model_rows(before: Side, after: Side) -> list[Row]:
    """Judge what is not of one cell: the model itself, its signature, what is not checked any more."""
    return [
        *_model(before, after),
        *signature_rows(before, after),
        *lost_cells(before, after),
        *format_coverage(before, after),
    ]


def cell_rows(before: Side, after: Side, cell: Cell, most: float | None = None) -> list[Row]:
    """Judge what is recorded of one cell; its artifact with the first one of its runners.

    Args:
        most: the share by which artifact and peak memory may grow; None: that is not judged.
    """
    if cell not in before.cells:
        return cell_coverage(before, after, cell)
    key, runner = cell
    first = runner == next(iter(after.variants[key].runners), runner)
    return [
        *cell_coverage(before, after, cell),
        *accuracy_rows(before, after, cell),
        *(size_rows(before, after, key, most) if first else ()),
        *memory_rows(before, after, cell, most),
        *latency_rows(before, after, cell),
    ]


def speed_row(subject: str, found: SpeedFacts) -> Row:
    """Return what the artifact's calls took beside those of the baseline's."""
    reason = found.reason if found.verdict == NOT_JUDGED else speed_line(found)
    return Row("speed", subject, found.old, found.new, SPEEDS[found.verdict], reason)


def outputs_row(reports: Iterable[OutputReport]) -> list[Row]:
    """Return which outputs of the source are others on the same samples, of what their comparison found wrong."""
    largest: dict[str, JSON] = {each.name: each.atol if 0 < each.atol < math.inf else None for each in reports}
    told = ", ".join(f"{name} {_distance(value)}" for name, value in largest.items())
    return [Row("model", "outputs", None, largest, Verdict.DIFFERENT, told)] if largest else []


def _distance(value: JSON) -> str:
    return f"max abs {number(value)}" if isinstance(value, float) else "of another shape or type"


def unmeasured_rows(before: Side, after: Side) -> list[Row]:
    """Return that nothing tells how fast the artifacts are that both runs have, where they differ, in one row."""
    both = [cell for cell in after.cells if before.passed(cell) and after.passed(cell)]
    names = [after.cell_id(cell) for cell in both if not after.live(cell) and not _same_artifact(before, after, cell)]
    return [Row("speed", ", ".join(names), None, None, Verdict.NOT_JUDGED, UNMEASURED)] if names else []


def _same_artifact(before: Side, after: Side, cell: Cell) -> bool:
    was, now = (side.made(cell[0]) for side in (before, after))
    if was is None or now is None:
        return False
    digest = now.digest_of(cell[0])
    return bool(digest) and was.digest_of(cell[0]) == digest


# What a judgement of the speed means.
SPEEDS = {
    SLOWER: Verdict.WORSE,
    FASTER: Verdict.BETTER,
    UNCHANGED: Verdict.SAME,
    INCONCLUSIVE: Verdict.INCONCLUSIVE,
    NOT_JUDGED: Verdict.NOT_JUDGED,
}


def _model(before: Side, after: Side) -> list[Row]:
    was, now = (facts_of(side.source, SourceFacts).fingerprint for side in (before, after))
    return [Row("model", "fingerprint", was, now, Verdict.DIFFERENT)] if was != now else []


def other_model(before: Side, after: Side) -> str:
    """Return that a baseline is of another model, which neither its name nor its signature is of; "" if it is not."""
    if before.suite.name == after.suite.name or not worse(signature_rows(before, after)):
        return ""
    return f"it is of another model: {_about(before)}, not {_about(after)}"


def _about(side: Side) -> str:
    assert side.signature is not None
    return f"{side.suite.name} ({', '.join(f'{spec.name} {spec_text(spec)}' for spec in side.signature.inputs)})"
