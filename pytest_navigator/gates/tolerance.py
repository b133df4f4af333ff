"""Another tolerance than that of the run: what the recorded differences say of it (pure)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from math import inf, isfinite
from sys import float_info
from typing import TYPE_CHECKING

from pytest_navigator.comparison.edge import needed, outside
from pytest_navigator.comparison.facts import CorrectnessFacts
from pytest_navigator.comparison.tolerances import ASKED, number, resolve
from pytest_navigator.comparison.verdicts import percent, where
from pytest_navigator.core.facts import facts_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_navigator.comparison.tolerances import Rule, Tolerance
    from pytest_navigator.core.records import Outcome, OutputReport, TensorSpec
    from pytest_navigator.core.variants import Variant

ROUNDING = 8 * float_info.epsilon  # Of the sum and the product in atol + rtol * |value|

# Comparisons that go before a tolerance, in a run too.
ASKED_FOR = ("share", "cosine", "snr", "function", "unchecked")


class Word(StrEnum):
    """What can be said of an output."""

    PASSES = "passes"
    FAILS = "fails"
    UNKNOWN = "not judged"


@dataclass(frozen=True)
class Judged:
    """The verdict on one output.

    Attributes:
        text: why it fails, or is not judged; what it passes by.
        recorded: whether it is the verdict of the run, which the policy does not concern.
    """

    output: str
    word: Word
    text: str
    recorded: bool = False


@dataclass(frozen=True)
class Policy:
    """The tolerances to judge by; None: those of the run."""

    atol: Tolerance = None
    rtol: Tolerance = None


def rules_of(
    policy: Policy,
    outcome: Outcome,
    variant: Variant,
    outputs: Sequence[TensorSpec],
    formats: Iterable[str],
    cell: str,
) -> dict[str, Rule]:
    """Return the rule of every output that a run under the policy would have.

    Args:
        formats: names of formats and cells that the policy may mention; cell: that of the outcome.

    Raises:
        ConfigError: it names an output or a format that does not exist.
    """
    known = facts_of(outcome, CorrectnessFacts).rules
    asked = {name: replace(rule) for name, rule in known.items() if _goes_first(rule)}
    found = resolve(
        outputs,
        atol=policy.atol,
        rtol=policy.rtol,
        comparisons={},
        precision=str(variant.parameters.get("precision", "")),
        variant_key=variant.key,
        format_name=variant.format,
        formats=formats,
        cell=cell,
    )
    return found | asked


def _goes_first(rule: Rule) -> bool:
    return (rule.kind in ASKED_FOR and not rule.is_default) or bool(
        rule.kind == "scaled" and (rule.axis or rule.note == ASKED)
    )


def judged(reports: Iterable[OutputReport], rules: Mapping[str, Rule], recorded: Mapping[str, Rule]) -> list[Judged]:
    """Return the verdict on each output.

    Args:
        rules: of the policy; recorded: of the run.
    """
    return [_judged(report, rules.get(report.name), recorded.get(report.name)) for report in reports]


def _judged(report: OutputReport, rule: Rule | None, before: Rule | None) -> Judged:
    if report.broken:
        return Judged(report.name, Word.FAILS, report.problem)
    if rule is not None and rule.kind == "close":
        return close(report, rule.atol, rule.rtol)
    if rule is None or before is None or rule.kind == before.kind:
        # The default, which the run has judged by too, and comparisons, which go before tolerances.
        return Judged(report.name, Word.FAILS if report.problem else Word.PASSES, _as_recorded(report), recorded=True)
    return Judged(report.name, Word.UNKNOWN, f"the run measured by {before.text}, not by the default")


def _as_recorded(report: OutputReport) -> str:
    return report.problem or f"max abs {number(report.atol)}, {report.used or 'as recorded'}"


def close(report: OutputReport, atol: float, rtol: float) -> Judged:
    """Judge one output by numpy's isclose: each difference at most atol + rtol * |source's value|."""
    said = _said(atol, rtol)
    if _outside(report, atol, rtol):
        return Judged(report.name, Word.FAILS, _failure(report, atol, rtol, said))
    least, most = bounds(report, rtol)
    slack = ROUNDING * (atol + report.atol) if rtol else 0.0
    if report.atol <= atol or most + slack <= atol or _relative(report, rtol):
        return Judged(report.name, Word.PASSES, f"max abs {number(report.atol)}, within {said}")
    text = f"at rtol {number(rtol)} the record tells that it needs an atol of {_between(least, most)}"
    return Judged(report.name, Word.UNKNOWN, text)


def bounds(report: OutputReport, rtol: float) -> tuple[float, float]:
    """Return the least atol and the largest one that an output may need at an rtol."""
    if report.edge and isfinite(report.atol):
        return needed(report.edge, rtol)
    if not rtol:
        return report.atol, report.atol
    # An older record knows two things: no difference is above atol, and none is above rtol times its value.
    share = rtol / report.rtol if 0 < report.rtol < inf else 0.0
    return 0.0, report.atol * max(0.0, 1 - share)


def _outside(report: OutputReport, atol: float, rtol: float) -> bool:
    """Whether one element that is known is outside, by the very arithmetic that judges it in a run."""
    if any(difference > atol + magnitude * rtol for magnitude, difference in report.edge):
        return True
    if report.atol == inf or (not rtol and report.atol > atol):
        return True
    return not atol and report.rtol > rtol * (1 + ROUNDING)


def _relative(report: OutputReport, rtol: float) -> bool:
    return report.atol == 0 or (rtol > 0 and report.rtol * (1 + ROUNDING) <= rtol)


def _failure(report: OutputReport, atol: float, rtol: float, said: str) -> str:
    place = None if report.sample is None else (report.sample, report.case, report.index)
    relation = f", max rel {number(report.rtol)}, outside {said}" if rtol else f" > {said}"
    return f"max abs {number(report.atol)}{where(place)}{relation}{_share(report, atol, rtol)}"


def _share(report: OutputReport, atol: float, rtol: float) -> str:
    """Return how many elements are outside, as far as their octaves tell it."""
    if not report.octaves or not report.total:
        return ""
    least, most = (0, outside(report.octaves, atol)[1]) if rtol else outside(report.octaves, atol)
    low, high = percent(least, report.total), percent(most, report.total)
    return f"; {low if low == high else f'{low} to {high}' if least else f'at most {high}'} of elements"


def _between(least: float, most: float) -> str:
    return number(most) if least == most else f"{number(least)} to {number(most)}"


def _said(atol: float, rtol: float) -> str:
    parts = [f"{name} {number(value)}" for name, value in (("atol", atol), ("rtol", rtol)) if value]
    return ", ".join(parts) or "atol 0"
