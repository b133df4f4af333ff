"""Which formats and runners passed before, and do not any more (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_navigator.core.expected import PASS
from pytest_navigator.core.kinds import AUTO, KINDS, TITLES
from pytest_navigator.core.steps import Status
from pytest_navigator.core.variants import covers, precise
from pytest_navigator.devices.records import NONE
from pytest_navigator.gates.rows import Row, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_navigator.core.records import Outcome
    from pytest_navigator.gates.sides import Cell, Side

PASSED = str(Status.PASSED)
FLAG = "--nav-"


def cell_coverage(before: Side, after: Side, cell: Cell) -> list[Row]:
    """Judge whether a cell still passes; nothing is said of one that has passed on neither side."""
    was, now = cell in before.cells and before.passed(cell), after.passed(cell)
    if not was and not now:
        return []
    states = _state(before.checked(cell)), _state(after.checked(cell))
    if was and not now:
        excuse = _excuse(after, after.checked(cell), after.cell_id(cell), cell[0])
        return [_lost(after.cell_id(cell), *states, excuse, _message(after.checked(cell)))]
    return [Row("coverage", after.cell_id(cell), *states, Verdict.SAME if was else Verdict.BETTER)]


def lost_cells(before: Side, after: Side) -> list[Row]:
    """Judge what passed, and is not checked any more."""
    gone = [cell for cell in before.cells if cell not in after.cells and before.passed(cell)]
    return [
        _lost(before.cell_id(cell), PASSED, None, left_out(before, after, cell), "there is no such item any more")
        for cell in gone
    ]


def format_coverage(before: Side, after: Side) -> list[Row]:
    """Judge what was made or is made, of the formats of which no cell passed: those that do tell for themselves."""
    told = {cell[0] for side in (before, after) for cell in side.cells if side.passed(cell)}
    keys = [v.key for v in (*before.suite.variants, *after.suite.variants) if v.file and v.key not in told]
    return [row for key in dict.fromkeys(keys) if (row := _format(before, after, key))]


def _format(before: Side, after: Side, key: str) -> Row | None:
    was, now = before.made(key), after.made(key)
    passed = tuple(bool(step and step.passed) for step in (was, now))
    if passed[0] == passed[1]:
        return None
    if passed[1]:
        return Row("coverage", key, _state(was), _state(now), Verdict.BETTER)
    excuse = _excuse(after, now, key) if key in after.variants else left_out(before, after, (key, ""))
    return _lost(key, _state(was), _state(now), excuse, _message(now) or "there is no such format any more")


def _lost(subject: str, was: str | None, now: str | None, excuse: str, reason: str) -> Row:
    return Row("coverage", subject, was, now, Verdict.NOT_JUDGED if excuse else Verdict.WORSE, excuse or reason)


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


def _excuse(after: Side, step: Outcome | None, *names: str) -> str:
    """Return why what does not pass now is no fault of the model: somebody expects it, or it has no such device."""
    if said := _expected(after, names):
        return said
    if step is None:
        return "it did not run"
    return step.requirement if step.requirement == NONE else ""


def _expected(side: Side, names: Sequence[str]) -> str:
    """Return what a reviewed file says of a cell, or of its format, that need not pass; "" for one that must."""
    xfail, _ = side.setting("xfail")
    found = [f"xfail of nav_config: {xfail[name]}" for name in names if name in (xfail or {})]
    if (file := side.suite.expected) is not None:
        lines = [line for name in names if (line := file.lines.get(name)) and line.outcomes != (PASS,)]
        found += [f"{file.file} expects {line.text}: {line.reason}" for line in lines]
    return next(iter(found), "")


def _message(outcome: Outcome | None) -> str:
    return outcome.message if outcome else ""


def _state(outcome: Outcome | None) -> str | None:
    return str(outcome.status) if outcome else None
