"""Comparison of a format's outputs with the source's: pure numpy, one case after another, no case is kept."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_navigator.comparison.slices import Slices
from pytest_navigator.comparison.suggestions import decibels, round_down
from pytest_navigator.comparison.ties import tied
from pytest_navigator.comparison.tolerances import number
from pytest_navigator.comparison.verdicts import Tally, percent, where
from pytest_navigator.core.records import OutputReport
from pytest_navigator.text import columns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from pytest_navigator.comparison.tolerances import Function, Rule
    from pytest_navigator.comparison.verdicts import Place

    Array = NDArray[Any]


class Comparison:
    """How the outputs of one runner compare with the source's, over all cases.

    Args:
        rules: of every output of the signature.
    """

    def __init__(self, rules: Mapping[str, Rule]) -> None:
        self._rules = rules
        self._outputs = {name: (Slices if rule.axis else Tally)(name, rule) for name, rule in rules.items()}
        self._strangers: dict[str, OutputReport] = {}

    def add(self, sample: int, case: str, expected: Mapping[str, Array], actual: Mapping[str, Array]) -> None:
        """Compare one case.

        Args:
            sample: index of the sample in the user's loader.
            case: "batch" or "row".
            expected, actual: the source's outputs and the format's, by name.
        """
        for output in self._outputs.values():
            self._add(output, (sample, case, ()), expected, actual)
        for name in actual.keys() - self._outputs.keys():
            known = ", ".join(self._outputs)
            problem = f"the source has no such output (it has: {known}; sample {sample})"
            self._strangers.setdefault(
                name, OutputReport(name, np.inf, np.inf, sample=sample, case=case, problem=problem, broken=True)
            )

    def _add(
        self, output: Tally | Slices, place: Place, expected: Mapping[str, Array], actual: Mapping[str, Array]
    ) -> None:
        before, name = output.mismatched, output.name
        output.add(place, expected.get(name), actual.get(name))
        if output.mismatched > before and output.rule.kind in ("equal", "share"):
            output.tied &= tied(np.asarray(expected[name]), np.asarray(actual[name]), expected, self._rules)

    def reports(self) -> list[OutputReport]:
        """Return a report per output, in the order of the rules; outputs that the source does not have come last.

        The rule "function" is not judged here: see `judge`.
        """
        return [*(output.report() for output in self._outputs.values()), *self._strangers.values()]


MEASURED = ("max abs", "share", "cosine", "SNR", "slice")  # Problems that are figures
PLACE = re.compile(r" \(sample [^)]*\)")  # What `verdicts.where` writes


def judge(function: Function, expected: Array, actual: Array) -> str:
    """Ask the user's function about one output of one case.

    Returns:
        Why it failed, one line; "" if it passed, that is, if it returned None, True or "". AssertionError is a failure;
        any other exception is let through.
    """
    try:
        verdict = function(expected, actual)
    except AssertionError as error:
        lines = (line.strip() for line in str(error).splitlines())
        return next(filter(None, lines), f"AssertionError in {_name(function)}")
    if verdict is None or isinstance(verdict, str):
        return verdict or ""
    if isinstance(verdict, bool | np.bool_):
        return "" if verdict else f"{_name(function)} returned False"
    return f"{_name(function)} returned {verdict!r}; a comparison returns a bool, None or the reason of the failure"


def failure_line(reports: Sequence[OutputReport]) -> str:
    """Return the failure in one line, the worst output first; "" if none failed."""
    failed = sorted((report for report in reports if report.problem), key=_severity)
    if not failed:
        return ""
    worst: dict[str, OutputReport] = {}
    for report in failed:
        worst.setdefault(_reason(report), report)
    told = list(worst.values())[:TOLD]
    others = len(failed) - len(told)
    more = f"; and {others} more output{'s' if others > 1 else ''}" if others else ""
    return "; ".join(f"{report.name}: {report.problem}{_would_pass(report)}" for report in told) + more


def table(reports: Sequence[OutputReport]) -> str:
    """Return a line per output, in columns; then, where several failed, why each did."""
    noisy = any(report.snr is not None for report in reports)
    lines = columns([(*COLUMNS, *(NOISE if noisy else ())), *(_row(report, noisy) for report in reports)], indent="")
    failed = [f"{report.name}: {report.problem}" for report in reports if report.problem]
    return "\n".join([*lines, *(failed if len(failed) > 1 else ())])


TOLD = 3  # Outputs in the line of a failure: the worst one of each reason

COLUMNS = ("output", "max abs", "max rel", "where", "outside", "rule", "would pass")
NOISE = ("SNR dB", "cosine")


def _row(report: OutputReport, noisy: bool) -> tuple[str, ...]:
    place = "" if report.sample is None else where((report.sample, report.case, report.index))[2:-1]
    outside = f"{percent(report.mismatched, report.total)} of {report.total}"
    answer = report.suggestion or ("nothing" if report.problem else "passed")
    told = (report.name, number(report.atol), number(report.rtol), place, outside, report.used, answer)
    if not noisy:
        return told
    snr, cosine = report.snr, report.cosine
    return (*told, "" if snr is None else decibels(snr), "" if cosine is None else round_down(cosine, 5))


def _reason(report: OutputReport) -> str:
    """Return what is wrong without figures and places: "int32 where the source has int64", "max abs"."""
    words = PLACE.sub("", report.problem)
    return next((kind for kind in MEASURED if words.startswith(kind)), words)


def _severity(report: OutputReport) -> tuple[bool, float]:
    return np.isfinite(report.atol), -report.mismatched / max(report.total, 1)


def _would_pass(report: OutputReport) -> str:
    if not report.suggestion:
        return ""
    short = report.used.startswith("atol") and " and " not in report.suggestion
    return f"; {report.suggestion.removeprefix('atol ') if short else report.suggestion} would pass"


def _name(function: Function) -> str:
    return str(getattr(function, "__qualname__", type(function).__name__))
