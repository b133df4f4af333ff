"""What of a disturbed measurement still counts: the quietest calls, and what the call may take undisturbed."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_navigator.configuration.profile_config import OptimizationProfile
from pytest_navigator.core.plain import plain, structured
from pytest_navigator.core.records import ProfileResult
from pytest_navigator.profiling import waiting
from pytest_navigator.profiling.fastest import fastest
from pytest_navigator.profiling.figures import caveat
from pytest_navigator.profiling.measuring import measure, summary
from pytest_navigator.profiling.quiet import RUN, alike, quietest, span
from pytest_navigator.profiling.waiting import Others, Waiting, spinning

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MS = 1_000_000
FAST, SLOW = 1.7, 370.0  # Of ExportedProgram where threads of two libraries spin on the same processors


def disturbed(calls: Sequence[float], **more: object) -> ProfileResult:
    result = summary([[round(call * MS) for call in calls]], 1)
    known = {"quiet": quietest([calls]), "floor": min(calls), "waited": 0.4, "threads": 2}
    return replace(result, **{**known, **more})


@given(st.integers(0, 60), st.integers(RUN, 15), st.integers(0, 60), st.floats(1.0, 1.2))
def test_a_few_quiet_calls_among_others_200_times_as_long_are_found(
    before: int, quiet: int, after: int, jitter: float
) -> None:
    calls = [*[SLOW] * before, *[FAST * jitter, FAST] * quiet, *[SLOW] * after]

    found = span(disturbed(calls))

    assert found.low <= FAST <= found.value <= FAST * jitter


def test_a_moment_with_both_processors_is_found_which_windows_of_20_ms_do_not() -> None:
    alone, both = 0.150, 0.081  # ms of ONNX Runtime with two threads, where one of two processors was free, and both
    calls = [*[alone] * 400, *[both] * 20, *[alone] * 400]

    assert fastest(np.array(calls))["p50"] == pytest.approx(alone)
    assert quietest([calls]) == both


@given(st.lists(st.sampled_from([FAST, SLOW]), min_size=1, max_size=200).filter(lambda calls: FAST in calls))
def test_where_no_calls_in_a_row_are_quiet_the_fastest_one_is_in_the_span(calls: list[float]) -> None:
    found = span(disturbed(calls))
    assert found.low <= FAST <= found.high


@pytest.mark.parametrize(
    ("known", "low"),
    [
        ({"waited": 0.1, "contention": 0.5}, 1.0),  # others had processors, and enough were left
        ({"waited": 0.4}, 0.5),  # in the fastest call only one of the two threads may have run
        ({"waited": 0.4, "threads": 1}, 1.0),
        ({"waited": None, "stability": "unstable"}, 0.5),  # nobody knows the threads
    ],
)
def test_a_call_takes_what_its_fastest_one_did_over_the_threads_that_had_to_wait(
    known: dict[str, object], low: float
) -> None:
    assert span(disturbed([1.0, 1.1] * 20, **known)).low == low


def test_of_long_calls_that_waited_for_most_of_their_time_nothing_can_be_told() -> None:
    found = span(disturbed([560.0] * 5, waited=0.9))
    assert (found.low, found.high) == (0.0, 560.0)


def test_the_median_counts_where_nothing_was_disturbed() -> None:
    found = span(disturbed([1.0] * 30 + [2.0] * 45, waited=0.01))
    assert (found.value, found.disturbed) == (2.0, False)


@given(st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=40))
def test_the_quietest_calls_are_between_the_fastest_one_and_the_median_of_some(calls: list[float]) -> None:
    assert min(calls) <= quietest([calls]) <= max(calls)
    assert quietest([calls, [min(calls)] * RUN]) == min(calls)


def test_a_record_of_before_has_no_quiet_figures_and_ranks_by_its_own() -> None:
    old = {name: value for name, value in plain(disturbed([1.0] * 20)).items() if name not in ("quiet", "waited")}
    result = replace(structured(old, ProfileResult), floor=None, threads=0)

    assert (result.waited, span(result).value) == (None, 1.0)
    assert span(replace(result, contention=0.5, fastest={"p50": 0.8}, quartiles=(0.7, 1.0, 1.0)))[:2] == (0.8, 0.35)


def test_the_caveat_says_that_threads_waited() -> None:
    assert caveat(disturbed([1.0] * 20)) == "its threads waited for processors 40 % of the time"


@pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="Linux tells what threads waited")
def test_threads_that_outnumber_the_processors_wait_for_them() -> None:
    over = threading.Event()

    def spin() -> None:
        while not over.is_set():
            np.ones((200, 200)) @ np.ones((200, 200))  # without the lock of the interpreter

    threads = [threading.Thread(target=spin) for _ in range(4 * (os.cpu_count() or 1))]
    waiting = Waiting()
    for each in threads:
        each.start()
    time.sleep(0.3)
    found = waiting.found()
    over.set()
    for each in threads:
        each.join()

    assert found is not None
    assert 0.0 <= found[0] <= 1.0
    assert 1 <= found[1] <= (os.cpu_count() or 1)


def test_a_measurement_has_quiet_figures_of_every_call_that_was_timed() -> None:
    result = measure(lambda: sum(range(2000)), OptimizationProfile().windows(), batch_size=1, seconds=1)

    assert 0 < result.floor <= result.quiet
    assert result.floor <= result.quartiles[0]


def test_quiet_calls_are_looked_for_where_threads_wait() -> None:
    quiet, ended = 0, time.perf_counter()

    class Busy(Waiting):
        def found(self) -> tuple[float, int]:
            return 0.6, 2

    def call() -> None:
        """Take a tenth of the time after a pause."""
        nonlocal quiet, ended
        quiet = 5 if time.perf_counter() - ended > 0.008 else quiet - 1
        time.sleep(0.0003 if quiet > 0 else 0.003)
        ended = time.perf_counter()

    result = measure(call, OptimizationProfile().windows(), batch_size=1, seconds=5, waiting=Busy)

    assert (result.waited, result.threads) == (0.6, 2)
    assert result.quiet < 0.5 * result.p50_latency
    assert all(0 < share <= 1 for share in result.others.values())


def test_what_was_set_is_not_advised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torch", object())  # type: ignore[misc]  # only its name is asked
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    assert "OMP_WAIT_POLICY=passive" in spinning()
    monkeypatch.setenv("OMP_WAIT_POLICY", "passive")
    assert "OMP_WAIT_POLICY=passive" not in spinning()


def test_others_are_named_with_what_they_use() -> None:
    shares = Others().shares()
    assert all(name and 0 < share <= 1 for name, share in shares.items())


def test_a_thread_that_has_ended_costs_its_own_count_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in {"1": "5 6 7", "2": None, "3": "", "4": "8 9 1"}.items():
        (tmp_path / name).mkdir()
        if text is not None:
            (tmp_path / name / "schedstat").write_text(text)
    monkeypatch.setattr(waiting, "_THREADS", tmp_path)

    assert waiting._counted() == {"1": (5, 6), "4": (8, 9)}


def test_what_others_use_while_they_are_looked_at_counts_with_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking at all processes took 0.2 s each time, in which one of them ran."""
    clock = iter([10.0, 10.4])
    used = iter([{7: ("trader", 1.0)}, {7: ("trader", 1.4)}])
    monkeypatch.setattr(waiting.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(waiting, "_used", lambda: next(used))
    monkeypatch.setattr(psutil, "cpu_count", lambda: 2)

    assert Others().shares() == {"trader": 0.5}


def test_of_several_that_are_compared_one_disturbed_makes_all_count_by_quiet_calls() -> None:
    still = span(disturbed([1.0] * 30 + [0.6] * 10 + [1.0] * 30, waited=0.0, stability="stable"))
    busy = span(disturbed([1.2] * 30 + [0.8] * 10))

    assert (still.disturbed, busy.disturbed) == (False, True)
    assert [each.value for each in alike([still, still])] == [1.0, 1.0]
    assert [each.value for each in alike([still, busy])] == [0.6, 0.8]
    assert still.low == 0.6
