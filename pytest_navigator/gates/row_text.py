"""Rows as people read them (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeGuard

from pytest_navigator.comparison.tolerances import number
from pytest_navigator.gates.growth import NO_LIMIT, OWN, STORED
from pytest_navigator.gates.rows import Row, Verdict, worse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_navigator.core.plain import JSON

ABSENT = "-"
UNDECIDED = (Verdict.NOT_JUDGED, Verdict.INCONCLUSIVE)
TOLD = 3  # Rows in the line of a failure

UNITS = {"noise": " dB", "latency": " ms", "size": " B", "memory": " MiB"}
FIGURES: Mapping[str, Callable[[float], str]] = {
    "tolerance": number,
    "noise": "{:.4g}".format,
    "latency": "{:.4g}".format,
    "memory": "{:.4g}".format,
}
"""How the figures of a topic are written, if not as they are."""


def row_line(row: Row, *, word: bool = False) -> str:
    """Return one row: "coverage: onnx-cpu: passed -> failed (output logits: ...)".

    Args:
        word: say its verdict too, unless it is plain.
    """
    if row.topic == "speed" and row.verdict is not Verdict.NOT_JUDGED:  # it says everything itself
        return f"{row.subject}: {row.reason}"
    return f"{row.topic}: {_change(row, _word(row) if word else '')}"


def _change(row: Row, word: str) -> str:
    sides = f": {_text(row.topic, row.before)} -> {_text(row.topic, row.after)}"
    shown = "" if row.before is None and (row.after is None or isinstance(row.after, dict)) else sides
    why = ": ".join(filter(None, (word, row.reason)))
    said = "; ".join(filter(None, (_ratio(row), why)))
    return f"{row.subject}{shown}{f' ({said})' if said else ''}"


def _word(row: Row) -> str:
    return str(row.verdict) if row.verdict in (Verdict.BETTER, *UNDECIDED) else ""


def failure(rows: Sequence[Row], since: str) -> str:
    """Return all that is worse in one line; "" where nothing is."""
    found = [row_line(row) for row in worse(rows)]
    return f"worse than {since}: {_joined(found)}" if found else ""


def caveat(rows: Sequence[Row]) -> str:
    """Return what was not judged, in one line; "" where all was."""
    found = [row for row in rows if row.verdict in UNDECIDED and not is_shown_only(row)]
    return _joined([row_line(row, word=True) for row in found])


def _joined(lines: Sequence[str]) -> str:
    more = f"; and {len(lines) - TOLD} more" if len(lines) > TOLD else ""
    return "; ".join(lines[:TOLD]) + more


def is_shown_only(row: Row) -> bool:
    """Whether a row only shows what was measured: nobody has asked for a judgement, or there can be none."""
    return row.verdict is Verdict.NOT_JUDGED and row.reason in (STORED, NO_LIMIT, OWN)


def is_figure(value: JSON) -> TypeGuard[float]:
    """Whether this is a number."""
    return isinstance(value, int | float)


def _text(topic: str, value: JSON) -> str:
    if value is None:
        return ABSENT
    shown = FIGURES[topic](value) if topic in FIGURES and is_figure(value) else str(value)
    return f"{shown}{UNITS.get(topic, '')}"


def _ratio(row: Row) -> str:
    before, after = row.before, row.after
    if row.topic not in UNITS or row.topic == "noise" or not is_figure(before) or not is_figure(after):
        return ""
    return f"{100 * (after / before - 1):+.0f} %" if before and after else ""
