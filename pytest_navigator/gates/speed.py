"""Whether an artifact became slower, judged by what it took beside the old one (pure).

The median of paired ratios is judged, never one run's figure against another's: these differ by a third on a machine
that others use, by as much as nothing here.
"""

from __future__ import annotations

from dataclasses import replace
from math import comb, exp, log
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from pytest_navigator.configuration.options import SLOWDOWN
from pytest_navigator.gates.facts import FASTER, INCONCLUSIVE, NOT_JUDGED, SLOWER, UNCHANGED, SpeedFacts
from pytest_navigator.profiling.figures import rounded
from pytest_navigator.profiling.paired import QUADS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_navigator.profiling.paired import Paired, Quad, Rounds

THRESHOLD = SLOWDOWN
APART = 0.1  # Share of the logarithm of a ratio that two witnesses may differ by: what times a call takes some time too
SMALLEST = 0.005  # ms by which it may be slower whatever the share: less is the interpreter's
SEVERAL = 1.3  # Processors at work from which on a runtime was not held to one thread
SEVERAL_THRESHOLD = 0.2  # The threshold then: two threads on two processors that others use differ by 10 % by chance
CONFIDENCE = 0.995
FAR = 1.25  # Times of the other one's from which on no noise explains it, where both witnesses say so
UNSUPPORTED = "the processor time and the spread of the ratios do not bear the difference out"
DIFFERENT = 2  # Rounds after which a difference far beyond the threshold is clear


class Doubt(NamedTuple):
    """What is in the way of a judgement: whether it is so, and how it is said."""

    holds: bool
    reason: str


def not_judged(reason: str) -> SpeedFacts:
    """Return that there was nothing to measure, or no way to."""
    return SpeedFacts(NOT_JUDGED, reason)


def clear(rounds: Rounds, threshold: float = THRESHOLD, *, gpu: bool = False) -> bool:
    """Whether more rounds would not change the judgement.

    Unchanged: all witnesses are below half of the threshold. Slower: in two rounds, each with sessions of its own, all
    are above twice the threshold, at 99.5 %.
    """
    quads = [quad for each in rounds for quad in each]
    witnesses = ["fastest"] if gpu else ["fastest", "processor"]
    if all(_median(quads, name) < log(1 + threshold / 2) for name in witnesses):
        return True
    twice = log(1 + 2 * threshold)
    return len(rounds) >= DIFFERENT and all(
        bound([getattr(quad, name) for quad in each], 1) > twice for each in rounds for name in witnesses
    )


def judged(found: Paired, threshold: float = THRESHOLD, *, gpu: bool = False) -> SpeedFacts:
    """Return what one measurement says.

    Args:
        threshold: the share by which a call may be slower, 0.08.
        gpu: whether it ran on one: the time on the processor tells nothing then.
    """
    if not found.quads:
        return SpeedFacts(INCONCLUSIVE, "the time limit left no room for a measurement", seconds=found.seconds)
    several = not gpu and found.threads > SEVERAL
    allowed = max(threshold, SEVERAL_THRESHOLD) if several else threshold
    told = "; ".join(_told(found, threshold, several=several))
    verdict, reason = _verdict(found, allowed, gpu=gpu)
    if verdict == UNCHANGED and bound([quad.fastest for quad in found.quads], 1) > log(1 + threshold):
        verdict = INCONCLUSIVE  # It is slower than was asked for: `told` says why that is no failure.
    ratio = _median(found.quads, "fastest")
    return SpeedFacts(
        verdict,
        reason or told,
        exp(ratio),
        None if gpu else exp(_median(found.quads, "processor")),
        exp(bound([quad.fastest for quad in found.quads], 1 if ratio > 0 else -1)),
        len(found.quads),
        found.old,
        found.new,
        allowed,
        seconds=found.seconds,
    )


def judged_apart(found: Paired, *, gpu: bool = False) -> SpeedFacts:
    """Return what one measurement of two formats says, which differ by far more than two builds of one do.

    Fastest calls and processor time need not agree on how much slower one is, if both say that it is by a quarter.
    """
    facts = judged(found, gpu=gpu)
    witnesses = [facts.bound or 0.0, *([facts.cpu_ratio or 0.0] if not gpu else [])]
    if facts.verdict == INCONCLUSIVE and facts.quads >= QUADS and min(witnesses) > FAR:
        return replace(facts, verdict=SLOWER, reason="")
    return facts


def confirmed(first: SpeedFacts, second: SpeedFacts) -> SpeedFacts:
    """Return the judgement of a "slower" one by what a second, fresh process has measured."""
    seconds = first.seconds + second.seconds
    if second.verdict == SLOWER:
        return replace(first, again=second.ratio, seconds=seconds)
    said = f"{percent(second.ratio)}, {second.verdict}" if second.ratio else f"{second.verdict}: {second.reason}"
    return replace(
        first,
        verdict=INCONCLUSIVE,
        reason=f"a second process did not confirm {percent(first.ratio)}: {said}",
        again=second.ratio,
        seconds=seconds,
    )


def bound(values: Sequence[float], sign: int) -> float:
    """Return a one-sided bound of a median at 99.5 % (lower: sign 1; upper: -1), which supposes no distribution.

    The sign test turned round (Conover, Practical Nonparametric Statistics, 3rd edition, 3.2): of n values, n below the
    median as likely as above it, the k-th smallest is above it with a probability of P(Binomial(n, 1/2) < k). The
    largest such k that keeps this below 0.5 % gives the bound; of fewer than 8 values there is none, and the outermost
    one is returned.
    """
    ordered = sorted(values, reverse=sign < 0)
    n, rank, below = len(ordered), 0, 1
    while below <= (1 - CONFIDENCE) * 2**n:  # below: 2**n * P(Binomial(n, 1/2) <= rank)
        rank += 1
        below += comb(n, rank)
    return ordered[max(0, rank - 1)]


def percent(ratio: float | None) -> str:
    """Return a ratio as people say it: "+12 %"."""
    return "" if ratio is None else f"{100 * (ratio - 1):+.3g} %"


def speed_line(facts: SpeedFacts) -> str:
    """Return the judgement as a line: "+21 % slower (1.92 -> 2.33 ms, ...)"."""
    if facts.ratio is None or facts.old is None or facts.new is None:
        return f"speed {facts.verdict}: {facts.reason}"
    times = " -> ".join(rounded(value, 0.005) for value in (facts.old, facts.new))
    measured = [f"fastest call {times} ms"]
    if facts.cpu_ratio is not None:
        measured.append(f"processor time {percent(facts.cpu_ratio)}")
    if facts.verdict == SLOWER:
        measured.append(f"by {percent(facts.bound)} or more at 99.5 %")
        measured.append(f"{percent(facts.again)} in a second process")
        measured.append(f"{100 * facts.threshold:.3g} % are allowed")
    why = f"; {facts.reason}" if facts.reason else ""
    return f"speed {facts.verdict}: {percent(facts.ratio)} ({', '.join(measured)}){why}"


def _median(quads: Sequence[Quad], name: str) -> float:
    return float(median(getattr(quad, name) for quad in quads))


def _beyond(found: Paired, threshold: float, *, gpu: bool, sign: int) -> bool:
    """Whether the difference is beyond the threshold by every witness; sign: 1 slower, -1 faster."""
    ratio, processor = (sign * _median(found.quads, name) for name in ("fastest", "processor"))
    least = sign * bound([quad.fastest for quad in found.quads], sign)
    return (
        ratio > log(1 + threshold)
        and abs(_difference(found)) > SMALLEST
        and (gpu or processor > log(1 + threshold / 2))
        and least > 0
    )


def _difference(found: Paired) -> float:
    """Return by how many ms a call is slower."""
    return found.old * (exp(_median(found.quads, "fastest")) - 1)


def _verdict(found: Paired, threshold: float, *, gpu: bool) -> tuple[str, str]:
    """Return the verdict, and why it is none; doubts count only where it might be slower."""
    ratio, doubt = _median(found.quads, "fastest"), _doubt(found, threshold, gpu=gpu)
    few = f"the time limit left room for {len(found.quads)} of {QUADS} comparisons" if len(found.quads) < QUADS else ""
    far = ratio > log(1 + threshold) and _difference(found) > SMALLEST
    # The first row that holds.
    table = (
        (bool(few), INCONCLUSIVE, few),
        (ratio > log(1 + threshold / 2) and bool(doubt), INCONCLUSIVE, doubt),
        (_beyond(found, threshold, gpu=gpu, sign=1), SLOWER, ""),
        (far, INCONCLUSIVE, UNSUPPORTED),
        (_beyond(found, threshold, gpu=gpu, sign=-1) and not doubt, FASTER, ""),
        (True, UNCHANGED, ""),
    )
    return next((verdict, reason) for holds, verdict, reason in table if holds)


def _doubt(found: Paired, threshold: float, *, gpu: bool) -> str:
    """Return what the measurement contradicts itself in, "" for nothing."""
    ratio, processor = (_median(found.quads, name) for name in ("fastest", "processor"))
    rounds = [_median(each, "fastest") for each in found.rounds if each]
    texts = ", ".join(percent(exp(each)) for each in rounds)
    doubts = (
        Doubt(
            not gpu and abs(ratio - processor) > max(log(1 + threshold), APART * abs(ratio)),
            f"the fastest calls say {percent(exp(ratio))}, the processor time {percent(exp(processor))}",
        ),
        Doubt(min(rounds) < 0 < max(rounds), f"the rounds disagree: {texts}"),
    )
    return next((doubt.reason for doubt in doubts if doubt.holds), "")


def _told(found: Paired, threshold: float, *, several: bool) -> list[str]:
    """Return what a reader of a clear judgement has to know."""
    told = []
    if several:
        most = f"less than {100 * SEVERAL_THRESHOLD:.3g} % is not judged"
        told.append(f"the runtime could not be held to one thread ({found.threads:.2g} processors at work): {most}")
    if abs(_median(found.quads, "fastest")) > log(1 + threshold) and abs(_difference(found)) <= SMALLEST:
        told.append(f"less than {1000 * SMALLEST:g} us are never judged")
    return told
