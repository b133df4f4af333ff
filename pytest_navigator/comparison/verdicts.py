"""What is added up over the cases of one output, and what each rule makes of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_navigator.comparison import measures
from pytest_navigator.comparison.edge import Edge
from pytest_navigator.comparison.signal import Signal
from pytest_navigator.comparison.suggestions import (
    NO_ROUNDING,
    Suggester,
    cosine_that_passes,
    decibels,
    round_down,
    round_up,
    share_that_passes,
    snr_that_passes,
)
from pytest_navigator.comparison.tolerances import ASKED, number, scaled_call, scaled_text
from pytest_navigator.core.records import OutputReport

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from pytest_navigator.comparison.measures import Measure
    from pytest_navigator.comparison.tolerances import Rule

    Array = NDArray[Any]

Place = tuple[int, str, tuple[int, ...]]  # Sample, kind of case, index


@dataclass
class Tally:
    """What is known of one output so far.

    Attributes:
        tied: whether every id that differed stands for a score as good as the source's choice, see `ties.tied`.
        edge: what is kept of the differences for a later judgement; None: another tally of the same elements has it.
        locate: index in these arrays -> index in the output, if they are slices of it.
    """

    name: str
    rule: Rule
    atol: float = 0.0
    rtol: float = 0.0
    place: Place | None = None
    mismatched: int = 0
    total: int = 0
    compared: bool = False
    excess: float = 0.0
    beyond: float = 0.0
    largest: float = 0.0
    cosine: float = 1.0
    tied: bool = True
    lost: dict[str, tuple[int, int]] = field(default_factory=dict)
    broken: dict[Place, str] = field(default_factory=dict)
    bins: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    samples: list[NDArray[np.float64]] = field(default_factory=list)
    suggester: Suggester = field(default_factory=Suggester)
    edge: Edge | None = field(default_factory=Edge)
    signal: Signal = field(default_factory=Signal)
    locate: Callable[[tuple[int, ...]], tuple[int, ...]] = lambda index: index

    def add(self, place: Place, expected: Array | None, actual: Array | None) -> None:
        """Add one case; None where this output is missing."""
        self.compared = True
        if expected is not None and actual is not None:
            expected, actual = np.asarray(expected), np.asarray(actual)
        problem, comparable = _difference_in_kind(expected, actual)
        if problem:
            self.break_off(place, problem)
        if comparable and expected is not None and actual is not None:
            self._measure(place, expected, actual)
        else:
            self.atol = self.rtol = np.inf

    def break_off(self, place: Place, problem: str) -> None:
        """Note what is wrong whatever the values are; the first place is told."""
        self.broken = dict(sorted({place: problem, **self.broken}.items())[:1])

    def _measure(self, place: Place, expected: Array, actual: Array) -> None:
        found = measures.measure(expected, actual, self.rule, self.edge)
        index = tuple(int(i) for i in np.unravel_index(found.where, expected.shape)) if expected.size else ()
        place = (*place[:2], self.locate(index))
        if np.isinf(found.atol) and (problem := _infinite(expected[index], actual[index])):
            self.break_off(place, problem)
        # Of equals the first place, so that the report is the same in whatever order the cases come.
        if found.atol > self.atol or (found.atol == self.atol and (self.place is None or place < self.place)):
            self.atol, self.place = found.atol, place
        self._add_up(found, expected.size)
        if self.rule.signal:
            with np.errstate(all="ignore"):
                self.signal.add(expected, actual)
        MEASURES.get(self.rule.kind, _nothing_more)(self, found, expected, actual)

    def _add_up(self, found: Measure, size: int) -> None:
        self.total += size
        self.mismatched += found.mismatched
        self.rtol = max(self.rtol, found.rtol)
        self.excess = max(self.excess, found.excess)
        self.beyond = max(self.beyond, found.beyond)
        self.largest = max(self.largest, found.largest)

    @property
    def scale(self) -> float:
        """The output's typical magnitude, see `measures.scale`."""
        return measures.scale(self.samples, self.largest)

    @property
    def allowed(self) -> tuple[float, float]:
        """The rule as atol and rtol, of which the atol alone passes what has passed too."""
        rule = self.rule
        atol = {"close": rule.atol, "scaled": rule.atol + rule.rtol * self.scale}.get(rule.kind, 0.0)
        return max(atol, round_up(self.atol) if self.atol else 0.0), rule.rtol

    @property
    def explained(self) -> bool:
        """Whether every element is as near as rounding explains: else it is wrong, and no tolerance is suggested."""
        return self.rule.explained > 0 and self.beyond <= self.rule.atol + self.rule.explained * self.scale

    def report(self) -> OutputReport:
        """Judge all cases together."""
        verdict = JUDGES[self.rule.kind](self)
        place = self.place
        if self.broken:
            place, problem = next(iter(self.broken.items()))
            beside = f"; {verdict.problem}" if verdict.problem and np.isfinite(self.atol) else ""
            verdict = replace(verdict, problem=f"{problem}{where(place)}{beside}", suggestion="")
        elif not self.compared:
            verdict = replace(verdict, problem="no case was compared")
        sample, case, index = place or (None, "", ())
        allowed = (None, None) if verdict.problem else self.allowed
        return OutputReport(
            self.name,
            self.atol,
            self.rtol,
            **vars(verdict),
            total=self.total,
            sample=sample,
            case=case,
            index=index,
            allowed_atol=allowed[0],
            allowed_rtol=allowed[1],
            largest=self.largest if self.compared else None,
            broken=bool(self.broken) or not self.compared,
            edge=self.edge.points if self.edge else (),
            octaves=self.edge.octaves if self.edge else (),
            snr=self.signal.snr() if self.signal.powers else None,
            cosine=self.signal.cosine() if self.signal.powers else None,
        )


@dataclass(frozen=True)
class _Verdict:
    used: str
    mismatched: int = 0
    problem: str = ""
    suggestion: str = ""


def _measure_scaled(output: Tally, found: Measure, expected: Array, actual: Array) -> None:
    values = measures.magnitudes(expected)
    output.samples.append(values)
    output.bins = measures.added(output.bins, found.bins)
    if found.atol and expected.dtype == actual.dtype:
        for dtype in output.rule.digits:
            _add_lost(output, dtype, measures.lost(expected, actual, dtype))
    # Whether this case fails is known only with the scale of all cases; a quarter leaves room for that.
    suspect = found.excess > output.rule.rtol * measures.scale([values], found.largest) / 4
    output.suggester.add(found, expected, actual, failed=suspect)


def _add_lost(output: Tally, dtype: str, found: tuple[int, int]) -> None:
    lost, kept = output.lost.get(dtype, (0, 0))
    output.lost[dtype] = (lost + found[0], kept + found[1])


def _measure_close(output: Tally, found: Measure, expected: Array, actual: Array) -> None:
    if output.rule.explained:
        output.samples.append(measures.magnitudes(expected))
    output.suggester.add(found, expected, actual, failed=found.mismatched > 0)


def _measure_cosine(output: Tally, found: Measure, expected: Array, actual: Array) -> None:
    output.cosine = min(output.cosine, measures.cosine(expected, actual))


def _nothing_more(output: Tally, found: Measure, expected: Array, actual: Array) -> None:
    """Everything that the rule needs was measured."""


MEASURES: dict[str, Callable[[Tally, Measure, Array, Array], None]] = {
    "scaled": _measure_scaled,
    "close": _measure_close,
    "cosine": _measure_cosine,
}


def _judge_close(output: Tally) -> _Verdict:
    rule = output.rule
    if not output.mismatched:
        return _Verdict(rule.text)
    told = (rule.atol, rule.rtol, output.excess, output.largest, rule.explained)
    suggestion = output.suggester.text(*told) if output.explained else ""
    relation = f", max rel {number(output.rtol)}, outside {rule.text}" if rule.rtol else f" > {rule.text}"
    return _Verdict(rule.text, output.mismatched, _off(output, relation, output.mismatched), suggestion)


def _judge_scaled(output: Tally) -> _Verdict:
    rule, scale = output.rule, output.scale
    used = scaled_text(rule, number(scale))
    limit = rule.atol + rule.rtol * scale
    if output.excess <= limit:
        return _Verdict(used, problem=_rounded(output))
    count = max(1, measures.above(output.bins, limit))
    suggestion = looser(output, limit) if output.explained else ""
    return _Verdict(used, count, _off(output, f", max rel {number(output.rtol)}, outside {used}", count), suggestion)


def looser(output: Tally, limit: float) -> str:
    """Return what passes in the words of what was asked for: a comparison goes before a tolerance."""
    rule = output.rule
    if rule.note == ASKED or rule.axis:
        return relative(output)
    return output.suggester.text(limit, rule.rtol, output.atol, output.largest, rule.explained, atol_alone=True)


def relative(output: Tally) -> str:
    """Return the part of the scale that passes, as it is written."""
    return scaled_call(output.rule.axis, round_up(output.rule.rtol + output.excess / output.scale))


def _rounded(output: Tally) -> str:
    """Return the type that values were rounded to which have more digits in the source."""
    found = next((dtype for dtype, (lost, kept) in output.lost.items() if lost and not kept), "")
    if not found:
        return ""
    off = f"max abs {number(output.atol)}{where(output.place)}"
    return f"{off}: rounded to {found}, where the source's values have more digits"


def _judge_equal(output: Tally) -> _Verdict:
    if not output.mismatched:
        return _Verdict(output.rule.text)
    problem = _off(output, ", must be equal", output.mismatched)
    return _Verdict(output.rule.text, output.mismatched, problem, _share(output))


def _share(output: Tally) -> str:
    # Of ids alone: where no tie explains what differs, a share that passes would hide a wrong model.
    return share_that_passes(_equal(output)) if output.tied else ""


def _judge_share(output: Tally) -> _Verdict:
    rule, equal = output.rule, _equal(output)
    if equal >= rule.minimum:
        return _Verdict(rule.text, output.mismatched)
    problem = (
        f"share of equal elements {round_down(equal, 4)} < {rule.minimum:g}; largest difference {number(output.atol)}"
    )
    return _Verdict(rule.text, output.mismatched, problem + where(output.place), _share(output))


def _judge_cosine(output: Tally) -> _Verdict:
    rule = output.rule
    if output.cosine >= rule.minimum:
        return _Verdict(rule.text)
    problem = (
        f"cosine {round_down(output.cosine, 4)} < {rule.minimum:g}; max abs {number(output.atol)}{where(output.place)}"
    )
    return _Verdict(rule.text, 0, problem, cosine_that_passes(output.cosine, rule.explained))


def _judge_snr(output: Tally) -> _Verdict:
    rule, snr, cosine = output.rule, output.signal.snr(), output.signal.cosine()
    wrong = [f"SNR {decibels(snr)} < {rule.minimum:g} dB"] if snr < rule.minimum else []
    wrong += [f"cosine {round_down(cosine, 4)} < {rule.cosine:g}"] if rule.cosine and cosine < rule.cosine else []
    if not wrong:
        return _Verdict(rule.text)
    whose = f" ({rule.note} default)" if rule.is_default else ""
    problem = f"{' and '.join(wrong)}{whose}; max abs {number(output.atol)}{where(output.place)}"
    suggestion = snr_that_passes(min(snr, rule.minimum), min(cosine, rule.cosine) if rule.cosine else 0.0)
    return _Verdict(rule.text, 0, problem, suggestion)


def _judge_nothing(output: Tally) -> _Verdict:
    return _Verdict(output.rule.text)


JUDGES: dict[str, Callable[[Tally], _Verdict]] = {
    "close": _judge_close,
    "scaled": _judge_scaled,
    "equal": _judge_equal,
    "share": _judge_share,
    "cosine": _judge_cosine,
    "snr": _judge_snr,
    "function": _judge_nothing,
    "unchecked": _judge_nothing,
}


def _off(output: Tally, relation: str, count: int) -> str:
    text = f"max abs {number(output.atol)}{where(output.place)}{relation}; {percent(count, output.total)} of elements"
    if output.rule.kind == "equal" or output.atol <= NO_ROUNDING * output.largest:
        return text
    return f"{text}; the source's largest value is {number(output.largest)}"


def percent(part: int, total: int) -> str:
    """Return a share of elements in percent, two digits."""
    share = 100 * part / max(total, 1)
    return "<0.1 %" if 0 < share < 0.1 else f"{share:.2g} %" if share < 99.5 else "100 %"


def where(place: Place | None) -> str:
    """Return " (sample 4, [2,17])", " (sample 4 at batch 1)", " (sample 4 at batch 64)"; "" for no place."""
    if place is None:
        return ""
    sample, case, index = place
    at = " at batch 1" if case == "row" else f" at {case}" if case.startswith("batch ") else ""
    position = f", [{','.join(map(str, index))}]" if index else ""
    return f" (sample {sample}{at}{position})"


def _difference_in_kind(expected: Array | None, actual: Array | None) -> tuple[str, bool]:
    """Return what is wrong whatever the values are, and whether the values can be compared all the same."""
    if expected is None or actual is None:
        who = "the source" if expected is None else "the format"
        return f"{who} does not return this output", False
    if expected.shape != actual.shape:
        return f"shape {_shape(actual)} where the source has {_shape(expected)}", False
    if _type(expected) != _type(actual):
        floating = not any(
            measures.is_exact(array.dtype) or measures.is_text(array.dtype) for array in (expected, actual)
        )
        return f"{actual.dtype} where the source has {expected.dtype}", floating
    return "", True


def _type(array: Array) -> str:
    return "text" if measures.is_text(array.dtype) else array.dtype.name


def _shape(array: Array) -> str:
    return str(tuple(array.shape)).replace(" ", "")


def _infinite(expected: Any, actual: Any) -> str:
    if np.isfinite(expected) and np.isfinite(actual):
        return ""
    return f"{actual} where the source has {expected}"


def _equal(output: Tally) -> float:
    return (output.total - output.mismatched) / output.total if output.total else 1.0
