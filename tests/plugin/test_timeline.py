"""`--nav-timeline` prints what ran where and when."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING

import pytest

from pytest_navigator.core.timeline import Timeline, read_events
from pytest_navigator.engine.workspace import TIMELINE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from blackbox import Nav

    Run = Callable[..., pytest.RunResult]

ROW = re.compile(r" +(\d+\.\d\d) +(\d+\.\d\d)  (.+?)  +(\S.*?) +\|( *#+ *)\|")
WORKSPACE = "navigator_workspace"


@pytest.fixture
def timed(dense: Callable[..., pytest.Pytester], nav: Nav) -> Callable[..., pytest.RunResult]:
    """Run the model of a third party's framework with two formats of its own."""
    dense()
    return lambda *args, **more: nav(*args, formats="fake,other", **more)


def rows(result: pytest.RunResult) -> list[tuple[str, str]]:
    return [(match[3], match[4]) for line in result.outlines if (match := ROW.fullmatch(line))]


def test_the_rows_say_what_pytest_and_its_child_did_in_the_order_of_their_begin(
    pytester: pytest.Pytester, timed: Run
) -> None:
    before = time.time()
    result = timed("--nav-timeline", subprocess=True)  # whose start-up is its own

    found = rows(result)
    result.stdout.fnmatch_lines(["*= navigator timeline =*", "*from s*took s*where*what*|0 s*s|", "pytest: busy for*"])
    assert found[:2] == [("pytest", "start-up"), ("pytest", "collection")]
    events = read_events(pytester.path / WORKSPACE / TIMELINE)
    assert [event.begin for event in events] == sorted(event.begin for event in events)
    assert events[0].begin >= before - 0.05  # the system counts in hundredths
    names = {(event.lane, event.name) for event in events}
    assert {("pytest", "test_source"), ("pytest child", "loads: export.fake"), ("pytest child", "imports")} <= names
    assert ("pytest", "packages and reports") in names
    assert all(event.begin <= event.end for event in events)


def test_a_step_that_another_ones_item_has_made_run_has_a_row_of_its_own(pytester: pytest.Pytester, timed: Run) -> None:
    timed("--nav-timeline", "-k", "test_correctness")

    names = [event.name for event in read_events(pytester.path / WORKSPACE / TIMELINE)]
    assert {"source", "export.fake"} <= set(names)
    assert not [name for name in names if name.startswith("test_export")]


def test_workers_have_lanes_of_their_own(pytester: pytest.Pytester, timed: Run) -> None:
    result = timed("--nav-timeline", "-n", "2", "--dist=each")

    lanes = {event.lane for event in read_events(pytester.path / WORKSPACE / TIMELINE)}
    assert {"pytest", "gw0", "gw1"} <= lanes, lanes
    result.stdout.fnmatch_lines(["gw0: busy for * s, idle for * s"])


def test_a_resumed_run_shows_itself_alone(pytester: pytest.Pytester, timed: Run) -> None:
    timed("--nav-timeline")

    timed("--nav-timeline", "--nav-resume")

    names = [event.name for event in read_events(pytester.path / WORKSPACE / TIMELINE)]
    assert names.count("collection") == 1
    assert "reused" not in names


def test_without_the_option_nothing_is_noted(pytester: pytest.Pytester, timed: Run) -> None:
    result = timed()

    assert not (pytester.path / WORKSPACE / TIMELINE).exists()
    result.stdout.no_fnmatch_line("*timeline*")


def test_nothing_runs_in_a_collection_and_nothing_is_printed(pytester: pytest.Pytester, timed: Run) -> None:
    result = timed("--nav-timeline", "--collect-only", "-q")

    assert result.ret == 0
    result.stdout.no_fnmatch_line("*navigator timeline*")


def test_a_file_has_the_events_for_perfetto_and_another_run_may_write_over_it(
    pytester: pytest.Pytester, timed: Run
) -> None:
    for _ in range(2):
        result = timed("--nav-timeline=out.json")

    assert result.ret == 0
    result.stdout.fnmatch_lines(["report: out.json", "*= navigator timeline =*"])
    written = json.loads((pytester.path / "out.json").read_text(encoding="utf-8"))["traceEvents"]
    threads = {each["args"]["name"] for each in written if each["name"] == "thread_name"}
    assert {"pytest", "pytest child"} <= threads
    assert {"start-up", "test_source", "imports"} <= {each["name"] for each in written if each["ph"] == "X"}


@pytest.mark.parametrize(
    ("argument", "why"),
    [
        (("--nav-timeline", "."), "'.' does not end with .json; write --nav-timeline=FILE.json"),
        (("--nav-timeline=mine.json",), "this file is no report of an earlier run"),
        ((f"--nav-timeline={WORKSPACE}/out.json",), "which every run empties"),
    ],
)
def test_a_file_that_cannot_be_written_is_refused_before_the_run(
    pytester: pytest.Pytester, timed: Run, argument: tuple[str, ...], why: str
) -> None:
    (pytester.path / "mine.json").write_text("[1, 2]")

    result = timed(*argument)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert why in result.stderr.str().replace("\n", " ")
    assert (pytester.path / "mine.json").read_text() == "[1, 2]"


def test_a_clock_that_is_set_back_and_a_full_disk_break_nothing(tmp_path: Path) -> None:
    timeline = Timeline(tmp_path / "pytest.jsonl")
    timeline.add("work", 5.0, 4.0)
    (event,) = read_events(tmp_path)
    assert event.seconds == 0.0
    Timeline(tmp_path / "gone" / "pytest.jsonl").add("work", 4.0, 5.0)


def test_a_path_that_pytest_takes_for_an_argument_is_told(timed: Run, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("elsewhere") / "out.json"
    file.touch()
    result = timed("--nav-timeline", str(file))

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"write --nav-timeline={file}" in result.stderr.str()
