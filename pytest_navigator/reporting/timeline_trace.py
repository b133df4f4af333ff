"""The timeline of a run as events that chrome://tracing and Perfetto open: the Trace Event Format (pure)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_navigator.core.timeline import Event

MICROSECONDS = 1e6  # The format's unit


def trace(events: Sequence[Event]) -> str:
    """Return the text of a file: a process for each one of the run, a thread for each lane of it.

    Args:
        events: in the order in which they began; s since any common time.
    """
    placed = list(_placed(events))
    named = dict.fromkeys((event.lane, slot) for event, slot in placed)
    threads = {each: number for number, each in enumerate(named, 1)}
    processes = {name: number for number, name in enumerate(dict.fromkeys(lane.split()[0] for lane, _ in named), 1)}
    begin = events[0].begin if events else 0.0
    rows = [
        *(_named("process_name", name, number) for name, number in processes.items()),
        *(_named("thread_name", each[0], processes[each[0].split()[0]], threads[each]) for each in named),
        *(
            _complete(event, begin, processes[event.lane.split()[0]], threads[event.lane, slot])
            for event, slot in placed
        ),
    ]
    # The first key says whose file it is: another run may write over it.
    return json.dumps({"pytest_navigator": "timeline", "displayTimeUnit": "ms", "traceEvents": rows}, indent=1)


def _placed(events: Sequence[Event]) -> Iterator[tuple[Event, int]]:
    """Yield each event with the thread of its lane: in one thread of a trace events may only lie within each other."""
    running: dict[tuple[str, int], list[float]] = {}
    for event in sorted(events, key=lambda event: (event.begin, -event.end)):
        slot = 0
        while not _fits(running.setdefault((event.lane, slot), []), event):
            slot += 1
        running[event.lane, slot].append(event.end)
        yield event, slot


def _fits(ends: list[float], event: Event) -> bool:
    """Whether an event lies within those that run, when those that have ended are gone."""
    while ends and ends[-1] <= event.begin:
        ends.pop()
    return not ends or event.end <= ends[-1]


def _named(what: str, name: str, process: int, thread: int = 0) -> dict[str, Any]:
    return {"name": what, "ph": "M", "pid": process, "tid": thread, "args": {"name": name}}


def _complete(event: Event, begin: float, process: int, thread: int) -> dict[str, Any]:
    first, last = (round((moment - begin) * MICROSECONDS) for moment in (event.begin, event.end))
    return {"name": event.name, "ph": "X", "ts": first, "dur": last - first, "pid": process, "tid": thread}
