"""Which batch sizes a search tries, why it ends, and what it chooses."""

from __future__ import annotations

import math
from argparse import ArgumentTypeError
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_navigator.configuration.batch_search import Search, largest_of, parse_auto
from pytest_navigator.core.records import SizeFigure
from pytest_navigator.profiling.machine import Growth
from pytest_navigator.profiling.search import Found, chosen, search_sizes

if TYPE_CHECKING:
    from collections.abc import Callable


class Machine(Growth):
    """A machine whose time and memory are what a batch takes of them: `latency` in ms, `mib` of memory."""

    def __init__(self, latency: Callable[[int], float], mib: Callable[[int], float], left: float) -> None:
        self.now, self.grown, self._left = 0, 0.0, left
        self.latency, self.mib = latency, mib

    def used(self) -> float:
        return self.grown

    def left(self) -> float:
        return self._left - self.grown

    def bind(self, size: int) -> Callable[[], None]:
        def call() -> None:
            self.grown = max(self.grown, self.mib(size))
            self.now += round(self.latency(size) * 1e6)

        return call


def searched(
    latency: Callable[[int], float],
    search: Search | None = None,
    mib: Callable[[int], float] = lambda size: 0.0,
    left: float = math.inf,
) -> Found:
    machine, plan = Machine(latency, mib, left), search or Search()
    return search_sizes(machine.bind, plan, plan.sizes(), clock=lambda: machine.now, growth=machine)


def tried(found: Found) -> list[int]:
    return [each.batch_size for each in found.sizes]


def test_sizes_are_doubled_and_the_largest_is_the_last_one_whatever_it_is() -> None:
    assert list(Search(largest=8).sizes()) == [1, 2, 4, 8]
    assert list(Search(largest=11).sizes()) == [1, 2, 4, 8, 11]
    assert list(Search(largest=1).sizes()) == [1]


@given(st.integers(1, 2**30))
def test_no_size_is_left_out_by_more_than_doubling(largest: int) -> None:
    sizes = list(Search(largest=largest).sizes())
    assert (sizes[0], sizes[-1]) == (1, largest)
    assert all(small < large <= 2 * small for small, large in pairwise(sizes))


@pytest.mark.parametrize(
    ("throughputs", "saturated"),
    [
        ([], False),
        ([100], False),
        ([100, 104], False),
        ([100, 104, 90], True),
        ([100, 104, 120, 121], False),
        ([100, 200, 400], False),
    ],
)
def test_it_is_saturated_after_two_sizes_without_a_gain(throughputs: list[float], saturated: bool) -> None:
    assert Search().saturated(throughputs) is saturated


def test_it_ends_after_two_sizes_that_gain_little() -> None:
    found = searched(lambda size: max(10.0, size * 1.25))
    assert (found.ended, tried(found)) == ("saturated", [1, 2, 4, 8, 16, 32])
    assert found.reason == "2 sizes gained less than 5 %"
    assert chosen(found.sizes, None) == (8, 8)


def test_a_size_that_gains_little_is_followed_by_one_that_gains_much() -> None:
    steps = {1: 1.0, 2: 2.0, 4: 2.5, 8: 5.0, 16: 10.0}
    found = searched(lambda size: steps[size])
    assert tried(found) == [1, 2, 4, 8, 16]
    assert chosen(found.sizes, None) == (4, 4)


def test_the_knee_is_the_smallest_that_has_nearly_the_throughput_of_the_best() -> None:
    latencies = {1: 10.0, 2: 10.0, 4: 20 / 0.97, 8: 40 / 1.01}
    found = searched(lambda size: latencies[size], Search(largest=8))
    assert chosen(found.sizes, None) == (2, 8)


def test_without_a_threshold_it_goes_on_to_the_largest() -> None:
    found = searched(lambda size: float(size), Search(largest=20, threshold=None))
    assert (found.ended, tried(found)) == ("largest size", [1, 2, 4, 8, 16, 20])


def test_it_ends_at_the_latency_budget_and_nothing_above_it_is_chosen() -> None:
    found = searched(lambda size: 4 + 0.5 * size, Search(latency_budget=10))
    assert (found.ended, tried(found)) == ("latency budget", [1, 2, 4, 8, 16])
    assert found.reason == "batch 16 takes 12 ms, the latency budget is 10 ms"
    assert chosen(found.sizes, 10) == (8, 8)


def test_of_a_budget_that_nothing_is_within_the_first_size_is_left() -> None:
    found = searched(lambda size: 30.0 + size, Search(latency_budget=10))
    assert tried(found) == [1]
    assert chosen(found.sizes, 10) == (1, 1)


def test_it_ends_before_memory_is_short() -> None:
    found = searched(lambda size: 10.0, mib=lambda size: 100.0 * size, left=1500)
    assert (found.ended, tried(found)) == ("memory", [1, 2, 4, 8])
    assert found.reason == "batch 16 would take 800 MiB more, 700 MiB are left"


def test_it_ends_before_the_time_limit() -> None:
    found = searched(lambda size: 100.0 * size, Search(seconds=5, threshold=None))
    assert (found.ended, tried(found)) == ("time limit", [1, 2, 4])
    assert found.reason == "batch 8 would end after the 5 s of the search"


def test_every_size_has_five_calls_however_slow_they_are() -> None:
    found = searched(lambda size: 200.0, Search(largest=4))
    assert {each.calls for each in found.sizes} == {5}
    assert searched(lambda size: 10.0, Search(largest=1)).sizes[0].calls == 30


def test_an_error_ends_it_and_fails_nothing() -> None:
    def latency(size: int) -> float:
        if size >= 8:
            raise MemoryError("no more")
        return 1.0

    found = searched(latency)
    assert (found.ended, found.reason, tried(found)) == ("failure", "batch 8: no more", [1, 2, 4])


def test_an_error_of_the_first_size_is_one() -> None:
    def latency(size: int) -> float:
        raise ValueError("it takes nothing")

    with pytest.raises(ValueError, match="it takes nothing"):
        searched(latency)


def test_sizes_are_compared_by_their_fastest_calls() -> None:
    disturbed = SizeFigure(4, p50_latency=9.0, fastest=1.0, calls=5)
    assert chosen([SizeFigure(2, 1.0, 1.0, 5), disturbed], None) == (4, 4)
    assert disturbed.throughput == pytest.approx(444.4, abs=0.1)


def test_nothing_is_chosen_of_nothing() -> None:
    assert chosen([], None) == (None, None)


def test_the_words_of_the_option() -> None:
    texts = {"auto": "auto", " auto ": "auto", "auto:64": "auto:64", "auto: 064": "auto:64"}
    assert {text: parse_auto(text) for text in texts} == texts
    assert [largest_of(text) for text in ("auto", "auto:64")] == [None, 64]


WRONG = ("auto:", "auto:0", "auto:-3", "auto:many", "auto:1e3", "auto,8", "8,auto", "autos", f"auto:{2**31}")


@pytest.mark.parametrize("text", WRONG)
def test_other_words_say_what_to_write(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match=r"write auto, or auto:64 for 64 rows at most"):
        parse_auto(text)
