"""The timeline of a run as text: a row for each piece of work, with a bar where and as long as it ran (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_navigator.core.timeline import Event

ROWS = 60  # The longest pieces of work have one
BAR = 40  # Columns
NAME = 44  # Columns, at most
SHORTEST = 0.005  # s: what is shorter is nothing that anybody looks for


def timeline_lines(events: Sequence[Event]) -> list[str]:
    """Return the rows in the order in which they began, what each lane was busy for, and what is left out.

    Args:
        events: in the order in which they began; s since any common time.
    """
    if not events:
        return []
    begin, end = events[0].begin, max(event.end for event in events)
    shown = _longest(events)
    lane, name = (max(map(len, column)) for column in _columns(shown))
    rows = [
        f"{event.begin - begin:7.2f} {event.seconds:7.2f}  {event.lane:{lane}}  {_name(event):{name}}  "
        f"|{_bar(event, begin, end):{BAR}}|"
        for event in shown
    ]
    scale = "0 s" + f"{end - begin:.2f} s".rjust(BAR - len("0 s"))
    heading = f"{'from s':>7} {'took s':>7}  {'where':{lane}}  {'what':{name}}  |{scale}|"
    return [heading, *rows, *_left_out(events, shown), *_totals(events)]


def busy(events: Iterable[Event]) -> float:
    """Return for how many s at least one of some events ran."""
    total, until = 0.0, float("-inf")
    for event in sorted(events, key=lambda event: event.begin):
        total += max(0.0, event.end - max(event.begin, until))
        until = max(until, event.end)
    return total


def _longest(events: Sequence[Event]) -> list[Event]:
    longest = sorted(events, key=lambda event: -event.seconds)[:ROWS]
    chosen = {id(event) for event in longest if event.seconds >= SHORTEST} or {id(longest[0])}
    return [event for event in events if id(event) in chosen]


def _columns(events: Iterable[Event]) -> tuple[list[str], list[str]]:
    return ["where", *(event.lane for event in events)], ["what", *(_name(event) for event in events)]


def _name(event: Event) -> str:
    return event.name if len(event.name) <= NAME else f"{event.name[: NAME - 3]}..."


def _bar(event: Event, begin: float, end: float) -> str:
    column = BAR / max(end - begin, 1e-9)
    first = min(BAR - 1, int((event.begin - begin) * column))
    return " " * first + "#" * max(1, min(BAR - first, round(event.seconds * column)))


def _left_out(events: Sequence[Event], shown: Sequence[Event]) -> Iterator[str]:
    number = len(events) - len(shown)
    if number:
        rest = sum(event.seconds for event in events) - sum(event.seconds for event in shown)
        yield f"and {number} shorter ones, {rest:.2f} s together"


def _totals(events: Sequence[Event]) -> Iterator[str]:
    """Say for how long each lane was busy, of the time from its own first event to its last one."""
    for lane in dict.fromkeys(event.lane for event in events):
        own = [event for event in events if event.lane == lane]
        span, work = max(event.end for event in own) - own[0].begin, busy(own)
        yield f"{lane}: busy for {work:.2f} s, idle for {max(0.0, span - work):.2f} s"
