"""The events of a timeline for Perfetto and chrome://tracing."""

from __future__ import annotations

import json
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from pytest_navigator.core.timeline import Event
from pytest_navigator.reporting.timeline_trace import trace

SPANS = st.lists(st.tuples(st.sampled_from(["pytest", "gw0", "gw0 child"]), st.integers(0, 40), st.integers(0, 40)))


def test_lanes_are_threads_of_their_process_and_times_are_in_microseconds_from_the_first_event() -> None:
    found = [Event("gw0", "export", 100.0, 102.5), Event("gw0 child", "loads", 101.0, 101.25)]

    rows = json.loads(trace(found))["traceEvents"]

    assert [(row["name"], row["args"]["name"], row["pid"], row["tid"]) for row in rows if row["ph"] == "M"] == [
        ("process_name", "gw0", 1, 0),
        ("thread_name", "gw0", 1, 1),
        ("thread_name", "gw0 child", 1, 2),
    ]
    assert [row for row in rows if row["ph"] == "X"] == [
        {"name": "export", "ph": "X", "ts": 0, "dur": 2_500_000, "pid": 1, "tid": 1},
        {"name": "loads", "ph": "X", "ts": 1_000_000, "dur": 250_000, "pid": 1, "tid": 2},
    ]


def test_nothing_that_ran_is_a_trace_without_events() -> None:
    assert json.loads(trace([]))["traceEvents"] == []


@given(SPANS)
def test_no_event_is_lost_and_those_of_a_thread_lie_within_or_beside_each_other(
    spans: list[tuple[str, int, int]],
) -> None:
    events = sorted((Event(lane, "x", b, b + took) for lane, b, took in spans), key=lambda e: (e.begin, e.end))

    rows = [row for row in json.loads(trace(events))["traceEvents"] if row["ph"] == "X"]

    assert len(rows) == len(events)
    for one, other in combinations(rows, 2):
        begin, end = max(one["ts"], other["ts"]), min(one["ts"] + one["dur"], other["ts"] + other["dur"])
        if one["tid"] == other["tid"]:
            assert end <= begin or end - begin == min(one["dur"], other["dur"])
