"""Which layers of a quantized model are left in floating point until its outputs pass: any format's quantizer does it.

The layers are ranked once, by what each does to the outputs alone. The shortest row of the worst ones that passes is
found by doubling and halving; then those of it that are not needed are put back.
"""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from pytest_navigator.comparison.correctness import Comparison, failure_line
from pytest_navigator.comparison.layer_errors import LayerError, Noise, decibels
from pytest_navigator.core.facts import AccuracySearch, LeftOut
from pytest_navigator.errors import StepFailed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_navigator.comparison.tolerances import Rule

Arrays: TypeAlias = Mapping[str, np.ndarray]
Run: TypeAlias = Callable[[Arrays], Arrays]
Layers: TypeAlias = "Sequence[LayerError]"

KEPT = 2**28  # B of right outputs that are kept from one trial to the next
OUT_OF_TIME = "out of time"
NOTHING_LEFT = "nothing else can be left out"  # But all, which is the float model


class Quantizer(ABC):
    """What quantizes a model without some layers, for a search.

    Inputs and outputs are arrays by the signature's names.
    """

    @abstractmethod
    def right(self, feed: Arrays) -> Arrays:
        """Return the outputs of the float model."""

    @abstractmethod
    def worst(self, feed: Arrays, seconds: float) -> Layers:
        """Return the layers that can be left out of the artifact that was written last, the worst first.

        Args:
            feed: what they are ranked on. seconds: that it may take.
        """

    @abstractmethod
    def write(self, left_out: Layers) -> Run:
        """Write the artifact without some layers, and return what runs it."""

    def trial(self, left_out: Layers) -> Run:
        """Return what gives the outputs that the artifact without some layers would have."""
        return self.write(left_out)


@dataclass(frozen=True)
class Verdict:
    """How outputs compare on all batches: what is wrong, "" if nothing is; of the worst output, in dB."""

    problem: str
    snr: float


def search(
    quantizer: Quantizer, batches: Iterable[Arrays], rules: Mapping[str, Rule], seconds: float
) -> AccuracySearch:
    """Leave out the worst layers until the outputs pass, and write that artifact; the best one if none passes.

    Args:
        batches: the loader's, to be walked through several times; the layers are ranked on the first one.
        rules: of every output, those of its correctness.
        seconds: that it may take. What is under way is ended, and the artifact that is kept is written after that.

    Raises:
        StepFailed: an output has a rule that only pytest's own process can ask.
    """
    _check(rules)
    return _Search(quantizer, batches, rules, seconds).run()


def _check(rules: Mapping[str, Rule]) -> None:
    for name, rule in rules.items():
        if rule.kind == "function":
            raise StepFailed(
                f'search="accuracy" cannot ask {rule.note}, the comparison of {name}: functions stay in pytest\'s own '
                "process; judge it by nav.snr or nav.cosine, or write exclude=[...] in place of search"
            )


class _Search:
    def __init__(
        self, quantizer: Quantizer, batches: Iterable[Arrays], rules: Mapping[str, Rule], seconds: float
    ) -> None:
        self._quantizer, self._batches, self._rules = quantizer, batches, rules
        self._began, self._seconds = time.monotonic(), seconds
        self._right: dict[int, Arrays] = {}
        self._trials, self._longest = 0, 0.0
        self._best: tuple[Verdict, Layers] = Verdict("", -math.inf), ()

    def run(self) -> AccuracySearch:
        before = self._judged(self._quantizer.write(()))
        if not before.problem:
            return self._record(before, before, (), 0, "")
        self._best = before, ()
        ranking = self._quantizer.worst(next(iter(self._batches)), self._left)[:-1]
        count, ended = 0, OUT_OF_TIME
        while self._has_time():
            row = self._shortest(ranking, count)
            if row is None:
                ended = NOTHING_LEFT if self._has_time() else OUT_OF_TIME
                break
            needed = self._without_needless(row)
            after = self._judged(self._quantizer.write(needed))
            if not after.problem:
                return self._record(before, after, needed, len(ranking) + 1, "")
            # What was written is worse than its trial: with more layers left out than these.
            count = len(row)
        _, left_out = self._best
        return self._record(before, self._judged(self._quantizer.write(left_out)), left_out, len(ranking) + 1, ended)

    def _shortest(self, ranking: Layers, failing: int) -> Layers | None:
        found = shortest(len(ranking), lambda count: self._passes(ranking[:count]), failing)
        return None if found is None else ranking[:found]

    def _without_needless(self, row: Layers) -> Layers:
        """Return a row without what passes without it, the least bad asked first; the last one has been asked."""
        needed = list(row)
        for layer in reversed(row[:-1]):
            rest = [each for each in needed if each is not layer]
            if self._passes(rest):
                needed = rest
        return needed

    def _passes(self, left_out: Layers) -> bool | None:
        """Whether a trial passes; None: there is no time for it."""
        if not self._has_time():
            return None
        began = time.monotonic()
        verdict = self._judged(self._quantizer.trial(left_out))
        self._longest = max(self._longest, time.monotonic() - began)
        self._trials += 1
        print(f"search: without {len(left_out)} layers {_told(verdict)}", flush=True)
        if verdict.snr > self._best[0].snr:
            self._best = verdict, left_out
        return not verdict.problem

    def _judged(self, run: Run) -> Verdict:
        comparison, noises = Comparison(self._rules), {name: Noise() for name in self._rules}
        for place, feed in enumerate(self._batches):
            right, found = self._expected(place, feed), run(feed)
            comparison.add(place, "batch", right, found)
            for name, noise in noises.items():
                if name in found and right[name].dtype.kind == "f":
                    noise.add(found[name], right[name])
        return Verdict(
            failure_line(comparison.reports()), min((each.snr for each in noises.values()), default=math.inf)
        )

    def _expected(self, place: int, feed: Arrays) -> Arrays:
        if place in self._right:
            return self._right[place]
        right = self._quantizer.right(feed)
        if sum(_bytes(each) for each in (*self._right.values(), right)) <= KEPT:
            self._right[place] = right
        return right

    @property
    def _left(self) -> float:
        return self._began + self._seconds - time.monotonic()

    def _has_time(self) -> bool:
        return self._left > self._longest

    def _record(self, before: Verdict, after: Verdict, left_out: Layers, layers: int, ended: str) -> AccuracySearch:
        found = AccuracySearch(
            passed=not after.problem,
            before=before.snr,
            after=after.snr,
            left_out=tuple(LeftOut(each.layer, each.operator, each.snr, each.alone) for each in left_out),
            exclude=names_of(left_out),
            layers=layers,
            trials=self._trials,
            seconds=round(time.monotonic() - self._began, 3),
            problem=after.problem,
            ended=ended,
        )
        print(found.text, flush=True)
        return found


def shortest(most: int, passes: Callable[[int], bool | None], failing: int = 0) -> int | None:
    """Return the smallest count that passes, by doubling and halving; None: none does, or there was no time.

    Args:
        passes: whether a count does; None: there is no time to ask.
        failing: a count that is too small.
    """
    low = high = failing
    while high < most:
        high = min(max(2 * high, high + 1), most)
        found = passes(high)
        if found:
            return _halved(low, high, passes)
        if found is None:
            return None
        low = high
    return None


def _halved(low: int, high: int, passes: Callable[[int], bool | None]) -> int:
    while high - low > 1:
        middle = (low + high) // 2
        found = passes(middle)
        if found is None:
            break
        low, high = (low, middle) if found else (middle, high)
    return high


def names_of(left_out: Layers) -> tuple[str, ...]:
    """Return what excludes layers, each name once."""
    return tuple(dict.fromkeys(name for layer in left_out for name in layer.exclude))


def _told(verdict: Verdict) -> str:
    return f"{decibels(verdict.snr)}: {verdict.problem or 'it passes'}"


def _bytes(arrays: Arrays) -> int:
    return sum(array.nbytes for array in arrays.values())
