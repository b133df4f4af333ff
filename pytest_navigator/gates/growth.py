"""Whether artifacts, or the memory that they take, have grown; and the figures of two runs (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.core.facts import profile_result
from pytest_navigator.gates.rows import Row, Verdict

if TYPE_CHECKING:
    from pytest_navigator.core.records import ProfileResult
    from pytest_navigator.gates.sides import Cell, Side

STORED = "figures of two runs"
NO_LIMIT = "no limit of growth"
OWN = "of pytest's own process, which keeps what it did before"

# Share up to which a difference is nobody's: names and times in a file, pages of a process.
NOISE = {"size": 0.01, "memory": 0.05}


def size_rows(before: Side, after: Side, key: str, most: float | None) -> list[Row]:
    """Judge the size of an artifact, in B.

    Args:
        most: the share by which it may grow; None: it is shown only.
    """
    was, now = before.size(key), after.size(key)
    return [] if was is None or now is None else [_grown("size", key, was, now, most)]


def memory_rows(before: Side, after: Side, cell: Cell, most: float | None) -> list[Row]:
    """Judge the peak memory of each batch size that both sides have measured, in MiB."""
    pairs, other = _measured(before, after, cell), _other_process(before, after, cell)
    peaks = {batch: tuple(result.peak_memory for result in pair) for batch, pair in pairs.items()}
    name = after.cell_id(cell)
    return [
        Row("memory", f"{name} {batch}", was, now, Verdict.NOT_JUDGED, other if most is not None else NO_LIMIT)
        if other
        else _grown("memory", f"{name} {batch}", was, now, most)
        for batch, (was, now) in peaks.items()
        if was is not None and now is not None
    ]


def _other_process(before: Side, after: Side, cell: Cell) -> str:
    """Return why peaks of two runs are not of alike processes, "" where they are: a child keeps what it has loaded."""
    if after.live(cell):
        return OWN
    if after.mixed:
        return after.mixed
    return "" if set(before.cells) == set(after.cells) else "the process has loaded other runners too"


def latency_rows(before: Side, after: Side, cell: Cell) -> list[Row]:
    """Show the median latencies of both sides, in ms."""
    name = after.cell_id(cell)
    return [
        Row("latency", f"{name} {batch}", was.p50_latency, now.p50_latency, Verdict.NOT_JUDGED, STORED)
        for batch, (was, now) in _measured(before, after, cell).items()
    ]


def _measured(before: Side, after: Side, cell: Cell) -> dict[str, tuple[ProfileResult, ProfileResult]]:
    was, now = before.profiles(cell), after.profiles(cell)
    return {batch: (profile_result(was[batch]), profile_result(now[batch])) for batch in now if batch in was}


def _grown(topic: str, subject: str, was: float, now: float, most: float | None) -> Row:
    if most is not None and now > was * (1 + most):
        return Row(topic, subject, was, now, Verdict.WORSE, f"{100 * most:.3g} % are allowed")
    if abs(now - was) <= NOISE[topic] * was:
        return Row(topic, subject, was, now, Verdict.SAME)
    if now < was:
        return Row(topic, subject, was, now, Verdict.BETTER)
    verdict, reason = (Verdict.NOT_JUDGED, NO_LIMIT) if most is None else (Verdict.SAME, "")
    return Row(topic, subject, was, now, verdict, reason)
