"""Two calls beside each other, on a clock that the calls themselves move."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from math import exp, log
from random import Random
from statistics import median
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_navigator.core.plain import plain, structured
from pytest_navigator.gates.speed import clear
from pytest_navigator.profiling.clocks import Clock, clocks
from pytest_navigator.profiling.paired import QUADS, ROUNDS, Paired, compare

if TYPE_CHECKING:
    from collections.abc import Iterator

MS = 1_000_000


@dataclass
class Machine:
    """Two clocks, and others that take the processor away.

    Attributes:
        share: of the calls that are interrupted; each waits for as much as 20 ms then.
        slowed: the most that a call takes more, as a share, on processors whose caches and clock others use.
        happened: what was loaded, called and freed, in order.
    """

    share: float = 0.0
    threads: float = 1.0
    slowed: float = 0.0
    random: Random = field(default_factory=lambda: Random(1))
    wall: int = 0
    processor: int = 0
    waited: int = 0
    happened: list[str] = field(default_factory=list)

    @property
    def clock(self) -> Clock:
        """Without what the scheduler tells, as on macOS."""
        return Clock(lambda: self.wall, lambda: self.processor)

    @property
    def linux(self) -> Clock:
        return self.clock._replace(waiting=lambda: self.waited)

    def side(self, name: str, ms: float):
        @contextmanager
        def loaded() -> Iterator:
            self.happened.append(f"load {name}")
            yield lambda: self.call(name, ms)
            self.happened.append(f"free {name}")

        return loaded

    def call(self, name: str, ms: float) -> None:
        self.happened.append(name)
        ms *= 1 + self.slowed * (self.random.random() if self.slowed else 0)
        waited = self.random.uniform(1, 20) if self.random.random() < self.share else 0.0
        self.waited += round(waited * MS)
        self.wall += round(ms * MS) + round(waited * MS)
        self.processor += round(ms * self.threads * MS)

    def compare(self, old: float, new: float, **more) -> Paired:
        return compare(self.side("old", old), self.side("new", new), **{"clock": self.clock, **more})


@settings(deadline=None, max_examples=25)
@given(st.floats(1, 15), st.floats(0.5, 3), st.floats(0, 1), st.integers(0, 99))
def test_the_ratio_is_that_of_the_calls_also_if_all_of_them_have_to_wait(old, ratio, share, seed):
    machine = Machine(share, random=Random(seed))

    found = machine.compare(old, old * ratio, clock=machine.linux)

    assert median(quad.processor for quad in found.quads) == pytest.approx(log(ratio), abs=1e-5)
    assert median(quad.fastest for quad in found.quads) == pytest.approx(log(ratio), abs=1e-5)
    assert found.old == pytest.approx(old, rel=1e-5)


@settings(deadline=None, max_examples=25)
@given(st.floats(0.01, 1), st.floats(0.5, 3), st.floats(0, 0.5), st.integers(0, 99))
def test_where_nothing_tells_of_waiting_the_fastest_calls_are_those_that_did_not(old, ratio, share, seed):
    machine = Machine(share, random=Random(seed))

    found = machine.compare(old, old * ratio, seconds=2)

    assert median(quad.fastest for quad in found.quads) == pytest.approx(log(ratio), abs=1e-2)


def test_four_rounds_load_both_sides_anew_and_free_what_was_loaded_last_first():
    machine = Machine()

    found = machine.compare(2, 2)

    of = [name for name in machine.happened if " " in name]
    assert len(found.rounds) == ROUNDS
    assert len(of) == 4 * ROUNDS
    for first, second, third, fourth in zip(*[iter(of)] * 4, strict=True):
        assert {first, second} == {"load old", "load new"}
        assert [third[5:], fourth[5:]] == [second[5:], first[5:]]


def test_four_rounds_take_about_twelve_seconds_and_an_unchanged_pair_two():
    whole, early = Machine().compare(2, 2), Machine().compare(2, 2, enough=clear)

    assert 10 < whole.seconds < 14
    assert early.seconds < 2
    assert len(early.quads) == QUADS


def test_what_is_far_slower_needs_two_rounds():
    assert len(Machine().compare(2, 3, enough=clear).rounds) == 2
    assert len(Machine().compare(2, 2.2, enough=clear).rounds) == ROUNDS


def test_blocks_alternate_in_an_order_that_the_seed_says():
    def blocks(seed: int) -> list[str]:
        machine = Machine()
        machine.compare(30, 30, seed=seed)
        return machine.happened

    assert blocks(1) == blocks(1)
    assert blocks(1) != blocks(2)


@pytest.mark.parametrize("ms", [100, 350, 500, 5000])
def test_slow_calls_give_twelve_comparisons_whatever_they_take(ms):
    machine = Machine()

    found = machine.compare(ms, ms * 1.1)

    assert len(found.quads) >= QUADS
    assert exp(found.quads[0].fastest) == pytest.approx(1.1)
    if ms > 400:  # two to warm up, then single calls
        assert machine.happened.count("old") == ROUNDS * (1 + 2 * QUADS // ROUNDS)


def test_a_limit_ends_the_measurement_with_what_there_is():
    found = Machine().compare(500, 500, seconds=5)

    assert 0 < len(found.quads) < QUADS
    assert found.seconds < 8


def test_calls_that_others_slow_down_are_of_one_thread_all_the_same():
    machine = Machine(slowed=1.0)

    assert machine.compare(2, 2, clock=machine.linux).threads == pytest.approx(1.0)


@pytest.mark.parametrize("threads", [1.0, 2.0])
def test_processors_at_work_are_told_also_where_calls_have_to_wait(threads):
    assert Machine(share=0.5, threads=threads).compare(2, 2).threads == pytest.approx(threads)


def test_the_result_is_plain_data():
    found = Machine().compare(2, 2.2)

    assert structured(plain(found), Paired) == found


def test_the_clocks_of_this_machine_move():
    with clocks() as clock:
        before = clock.wall(), clock.processor(), clock.waiting()
        took = clock.undisturbed(lambda: sum(range(10_000)))
        after = clock.wall(), clock.processor(), clock.waiting()

    assert 0 < took <= after[0] - before[0]
    assert after[1] > before[1]
    assert after[2] >= before[2]
