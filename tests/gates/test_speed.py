"""What is said of two calls that were measured beside each other."""

from __future__ import annotations

import re
from math import comb, log
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_navigator.gates.facts import FASTER, INCONCLUSIVE, NOT_JUDGED, SLOWER, UNCHANGED
from pytest_navigator.gates.speed import bound, clear, confirmed, judged, judged_apart, not_judged, speed_line
from pytest_navigator.profiling.paired import Paired, Quad


def measured(
    ratios=(1.0, 1.0, 1.0, 1.0), processor=None, quads=10, spread=0.002, old=2.0, threads=1.0, seed=0
) -> Paired:
    """Return a measurement whose rounds have these ratios; processor: that of its time, None: the same."""
    random = Random(seed)

    def quad(ratio: float) -> Quad:
        return Quad(log(ratio) + random.gauss(0, spread), log(processor or ratio) + random.gauss(0, spread))

    rounds = tuple(tuple(quad(ratio) for _ in range(quads)) for ratio in ratios)
    return Paired(rounds, old, old * ratios[0], threads, 12.0)


@pytest.mark.parametrize(
    ("found", "verdict", "reason"),
    [
        (measured(), UNCHANGED, ""),
        (measured([1.1] * 4), SLOWER, ""),
        (measured([1.2, 1.19, 1.22, 1.2]), SLOWER, ""),
        (measured([3.0] * 4), SLOWER, ""),
        (measured([32.0] * 4, processor=29.0), SLOWER, ""),
        (measured([0.8] * 4), FASTER, ""),
        (measured([0.8], quads=12), FASTER, ""),
        (measured([1.06] * 4), UNCHANGED, ""),
        (measured([1.07] * 4, spread=0.05), UNCHANGED, ""),
        (measured([1.1] * 4, old=0.02), INCONCLUSIVE, "less than 5 us are never judged"),
        (measured([1.2], quads=11), INCONCLUSIVE, "the time limit left room for 11 of 12 comparisons"),
        (Paired(), INCONCLUSIVE, "the time limit left no room for a measurement"),
        (measured([1.2] * 4, processor=1.01), INCONCLUSIVE, "the fastest calls say .20.* %, the processor time .*"),
        (measured([1.09] * 4, processor=1.02), INCONCLUSIVE, "the processor time and the spread of the ratios"),
        (measured([1.1] * 4, spread=0.4), INCONCLUSIVE, ""),
        (measured([1.3, 1.3, 0.9, 1.3]), INCONCLUSIVE, "the rounds disagree: .*, -9.9"),
        (measured([0.8, 0.8, 1.1, 0.8]), UNCHANGED, "^$"),  # nobody has to hear of doubts about what is faster
        (measured([0.8] * 4, processor=1.1), UNCHANGED, "^$"),
        (measured([1.1] * 4, threads=1.9), INCONCLUSIVE, r"could not be held to one thread \(1.9 processors at work\)"),
        (measured([1.19] * 4, threads=1.4), INCONCLUSIVE, "less than 20 % is not judged"),
        (measured([1.06] * 4, threads=1.9), UNCHANGED, "could not be held to one thread"),
        (measured([1.3] * 4, threads=1.9), SLOWER, "could not be held to one thread"),
    ],
)
def test_a_measurement_is_slower_only_if_all_witnesses_say_so(found, verdict, reason):
    facts = judged(found)

    assert facts.verdict == verdict, facts
    assert re.search(reason, facts.reason)
    assert facts.failed == (verdict == SLOWER)


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (measured([6.0] * 4, processor=7.5), SLOWER),
        (measured([1.2] * 4, processor=2.0), INCONCLUSIVE),
        (measured([6.0] * 4, processor=1.1), INCONCLUSIVE),
        (measured([6.0], quads=11), INCONCLUSIVE),
        (measured([0.5] * 4), FASTER),
    ],
)
def test_of_two_formats_that_are_far_apart_the_witnesses_need_not_agree_by_how_much(found, verdict):
    assert judged_apart(found).verdict == verdict


def test_on_a_gpu_the_time_on_the_processor_is_no_witness():
    found = measured([1.2] * 4, processor=1.0, threads=0.1)

    assert judged(found).verdict == INCONCLUSIVE
    assert judged(found, gpu=True).verdict == SLOWER
    assert judged(found, gpu=True).cpu_ratio is None
    assert clear([found.quads], gpu=False) is clear([found.quads], gpu=True) is False


@pytest.mark.parametrize(("threshold", "verdict"), [(0.05, SLOWER), (0.15, UNCHANGED)])
def test_the_threshold_is_the_users(threshold, verdict):
    assert judged(measured([1.1] * 4), threshold).verdict == verdict


def test_what_a_second_process_does_not_find_slower_passes_with_a_caveat():
    first, again = judged(measured([1.12] * 4)), judged(measured([1.14] * 4, seed=1))

    assert confirmed(first, again).failed
    assert confirmed(first, again).again == again.ratio
    doubtful = confirmed(first, judged(measured()))
    assert doubtful.verdict == INCONCLUSIVE
    assert doubtful.reason.startswith("a second process did not confirm +1")
    assert doubtful.seconds == 24
    assert confirmed(first, not_judged("it crashed")).reason.endswith("not judged: it crashed")


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=150))
def test_the_bound_is_the_largest_rank_that_is_too_high_in_one_of_200_cases(values):
    n, ordered = len(values), sorted(values)
    low = bound(values, 1)
    rank = max((k for k in range(1, n) if sum(comb(n, i) for i in range(k)) <= 0.005 * 2**n), default=1)

    assert low == ordered[rank - 1]
    assert bound([-value for value in values], -1) == -low


@given(st.floats(0.85, 1.25), st.floats(0.85, 1.25), st.floats(0.001, 0.05), st.integers(0, 1000))
def test_slower_is_never_said_of_a_ratio_below_the_threshold(ratio, processor, spread, seed):
    facts = judged(measured([ratio] * 4, processor=processor, spread=spread, seed=seed))

    if facts.failed:
        assert facts.ratio > 1.08
        assert facts.cpu_ratio > 1.04
        assert facts.bound > 1
    if facts.verdict == FASTER:
        assert facts.ratio < 1 / 1.08


@pytest.mark.parametrize(
    ("facts", "line"),
    [
        (judged(measured(spread=0.0)), "speed unchanged: +0 % (fastest call 2.00 -> 2.00 ms, processor time +0 %)"),
        (not_judged("there is no child"), "speed not judged: there is no child"),
        (
            confirmed(judged(measured([1.2] * 4, spread=0.0)), judged(measured([1.21] * 4, spread=0.0))),
            "speed slower: +20 % (fastest call 2.00 -> 2.40 ms, processor time +20 %, by +20 % or more at 99.5 %, "
            "+21 % in a second process, 8 % are allowed)",
        ),
        (
            judged(measured([1.2] * 4, processor=1.0, spread=0.0)),
            "speed inconclusive: +20 % (fastest call 2.00 -> 2.40 ms, processor time +0 %); the fastest calls say "
            "+20 %, the processor time +0 %",
        ),
    ],
)
def test_a_judgement_is_one_line(facts, line):
    assert speed_line(facts) == line


def test_not_judged_is_no_failure():
    assert not_judged("why").verdict == NOT_JUDGED
    assert not not_judged("why").failed
