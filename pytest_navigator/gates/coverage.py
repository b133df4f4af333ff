"""Which formats and runners passed before, and do not any more (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_navigator.core.kinds import AUTO, KINDS, TITLES
from pytest_navigator.core.steps import Status
from pytest_navigator.core.variants import covers, precise
from pytest_navigator.devices.records import NONE
from pytest_navigator.gates.rows import Row, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_navigator.core.records import Outcome
    from pytest_navigator.gates.sides import Cell, Side

PASSED = str(Status.PASSED)
FLAG = "--nav-"


def cell_coverage(before: Side, after: Side, cell: Cell) -> list[Row]:
    """Judge whether a cell that both sides have still passes; nothing is said of one that passes in neither."""
    was, now = before.passed(cell), after.passed(cell)
    if not was and not now:
        return []
    states = _state(before.checked(cell)), _state(after.checked(cell))
    if was and not now:
        excuse = _excuse(after, cell)
        verdict = Verdict.NOT_JUDGED if excuse else Verdict.WORSE
        return [Row("coverage", after.cell_id(cell), *states, verdict, excuse or _why(after, cell))]
    return [Row("coverage", after.cell_id(cell), *states, Verdict.SAME if was else Verdict.BETTER)]


def lost_and_gained(before: Side, after: Side) -> list[Row]:
    """Judge the cells, and the formats that nothing runs, of which only one side has any."""
    gone = [cell for cell in before.cells if cell not in after.cells and before.passed(cell)]
    new = [cell for cell in after.cells if cell not in before.cells and after.passed(cell)]
    return [
        *(_lost(before, after, cell) for cell in gone),
        *_lost_formats(before, after),
        *(Row("coverage", after.cell_id(cell), None, PASSED, Verdict.BETTER) for cell in new),
    ]


def _lost(before: Side, after: Side, cell: Cell) -> Row:
    excuse = left_out(before, after, cell)
    verdict = Verdict.NOT_JUDGED if excuse else Verdict.WORSE
    return Row("coverage", before.cell_id(cell), PASSED, None, verdict, excuse or "there is no such item any more")


def _lost_formats(before: Side, after: Side) -> list[Row]:
    told = {key for key, _ in (*before.cells, *after.cells)}
    files = [v.key for v in before.suite.variants if v.file and v.key not in told]
    made = [key for key in files if (step := before.made(key)) and step.passed]
    return [_lost_format(before, after, key) for key in made if not ((now := after.made(key)) and now.passed)]


def _lost_format(before: Side, after: Side, key: str) -> Row:
    now = after.made(key)
    excuse = "" if key in after.variants else left_out(before, after, (key, ""))
    reason = excuse or (now.message if now else "there is no such format any more")
    return Row("coverage", key, "made", _state(now), Verdict.NOT_JUDGED if excuse else Verdict.WORSE, reason)


def left_out(before: Side, after: Side, cell: Cell) -> str:
    """Return what of the second run has left a cell out on purpose, or for want of a device; "" if nothing has.

    What a flag leaves out is the purpose of this one run. What nav_config or the ini file leaves out stays out, which
    is what a baseline is to tell.
    """
    key, runner = cell
    variant, record = before.variants[key], before.suite.runners.get(runner)
    kept: dict[str, Callable[[Any], bool]] = {
        "formats": lambda value: any(covers(str(name), variant) for name in value),
        "precisions": lambda value: precise(variant, value),
        "runtimes": lambda value: record is None or not {record.name, record.runtime}.isdisjoint(value),
        "device": lambda value: record is None or value not in KINDS or record.device == value,
    }
    for name, keeps in kept.items():
        value, origin = after.setting(name)
        if value and origin.startswith(FLAG) and not keeps(value):
            return f"left out by {origin}={_written(value)}"
    if record is None:
        return ""
    if record.live and not any(each.live for each in after.suite.runners.values()):
        return "a package, which is the source here, holds no live model"
    if record.device in after.suite.elsewhere and after.setting("device")[0] in (AUTO, None):
        return f"needs {TITLES.get(record.device, record.device)}, which is not here"
    return ""


def _written(value: Any) -> str:
    return value if isinstance(value, str) else ",".join(map(str, value))


def _excuse(after: Side, cell: Cell) -> str:
    """Return why a cell that does not pass now is no fault of the model: somebody expects it, or has no such device."""
    expected, _ = after.setting("xfail")
    for name in (after.cell_id(cell), cell[0]):
        if name in (expected or {}):
            return f"xfail of nav_config: {expected[name]}"
    checked = after.checked(cell)
    if checked is None:
        return "it did not run"
    return checked.requirement if checked.requirement == NONE else ""


def _why(after: Side, cell: Cell) -> str:
    checked = after.checked(cell)
    return checked.message if checked else ""


def _state(outcome: Outcome | None) -> str | None:
    return str(outcome.status) if outcome else None
