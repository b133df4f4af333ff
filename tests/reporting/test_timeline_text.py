"""The text of a timeline."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pytest_navigator.core.timeline import Event
from pytest_navigator.reporting.timeline import BAR, ROWS, busy, timeline_lines

TIMES = st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 1000)), max_size=80)


def events(spans: list[tuple[int, int]]) -> list[Event]:
    return [Event("pytest", f"step {i}", begin, begin + took) for i, (begin, took) in enumerate(sorted(spans))]


def test_each_piece_of_work_has_a_row_with_a_bar_where_it_ran() -> None:
    found = [Event("pytest", "export", 100.0, 102.0), Event("pytest child", "correctness", 101.0, 104.0)]

    assert timeline_lines(found) == [
        f" from s  took s  where         what         |{'0 s':32}  4.00 s|",
        f"   0.00    2.00  pytest        export       |{'#' * 20:40}|",
        f"   1.00    3.00  pytest child  correctness  |{' ' * 10}{'#' * 30}|",
        "pytest: busy for 2.00 s, idle for 0.00 s",
        "pytest child: busy for 3.00 s, idle for 0.00 s",
    ]


def test_nothing_that_ran_is_nothing_to_show() -> None:
    assert timeline_lines([]) == []


def test_of_many_the_longest_have_a_row_and_the_others_are_counted() -> None:
    found = [Event("pytest", f"step {i}", i, i + (0.5 if i % 2 else 0.25)) for i in range(200)]

    lines = timeline_lines(found)

    assert sum("step" in line for line in lines) == ROWS
    assert all("   0.50  " in line for line in lines if "step" in line)
    assert f"and {200 - ROWS} shorter ones, {100 * 0.25 + (100 - ROWS) * 0.5:.2f} s together" in lines


def test_a_long_name_is_cut() -> None:
    assert max(map(len, timeline_lines([Event("pytest child", "x" * 300, 0, 1)]))) <= 120


@given(TIMES)
def test_what_is_busy_counts_each_moment_once(spans: list[tuple[int, int]]) -> None:
    moments = {moment for begin, took in spans for moment in range(begin, begin + took)}

    assert busy(events(spans)) == len(moments)


@given(TIMES.filter(bool))
def test_every_bar_has_its_columns(spans: list[tuple[int, int]]) -> None:
    rows = [line for line in timeline_lines(events(spans)) if line.endswith("|")]

    assert {line.index("|") + BAR + 1 for line in rows} == {len(line) - 1 for line in rows}
    assert all("#" in row for row in rows[1:])
