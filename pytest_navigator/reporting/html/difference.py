"""How far outputs are off, beside what is allowed (pure)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pytest_navigator.comparison.facts import output_reports
from pytest_navigator.comparison.tolerances import number
from pytest_navigator.reporting.html.axes import axis
from pytest_navigator.reporting.html.plot import FOOT, LEFT, MOST, RIGHT, WIDTH, Lane, Mark, Plot, compared, short, y_of

if TYPE_CHECKING:
    from pytest_navigator.core.records import OutputReport
    from pytest_navigator.package.query.results import Results
    from pytest_navigator.reporting.html.axes import Axis

HEAD = ("output", "max abs", "max rel", "allowed", "rule", "verdict")
SHAPES = "● measured, ○ no difference at all, ✗ too much, | allowed"


def differences(results: Results) -> Plot | None:
    """Return how far each output is off, beside what is allowed; None: nothing was compared."""
    every = [(f"{cell}: {r.name}", r) for cell, outcome in compared(results) for r in output_reports(outcome)]
    shown = [(name, report) for name, report in every if math.isfinite(report.atol)][:MOST]
    if not shown:
        return None
    values = (value for _, report in shown for value in (report.atol, report.allowed_atol or 0.0))
    scale = axis(values, LEFT, WIDTH - RIGHT, log=True)
    bad = sum(bool(report.problem) for _, report in every)
    return Plot(
        what="Largest difference from the source, and what is allowed",
        label=f"Largest absolute differences of {len(every)} outputs; {bad or 'none'} of them "
        f"{'is' if bad == 1 else 'are'} off by more than is allowed. The table below has every figure.",
        unit=f"absolute, logarithmic: {SHAPES}",
        ticks=tuple(scale.ticks()),
        head=HEAD,
        rows=tuple(_row(name, report) for name, report in every),
        height=y_of(len(shown)) + FOOT,
        lanes=tuple(_lane(i, name, report, scale) for i, (name, report) in enumerate(shown)),
    )


def _lane(i: int, name: str, report: OutputReport, scale: Axis) -> Lane:
    allowed = f", {number(report.allowed_atol)} is allowed" if report.allowed_atol else ""
    text = f"{name}: {number(report.atol)}{allowed}{'; too much' if report.problem else ''}"
    return Lane(short(name), y_of(i), _marks(report, scale), text, number(report.atol))


def _marks(report: OutputReport, scale: Axis) -> tuple[Mark, ...]:
    measured = Mark("cross" if report.problem else "dot" if report.atol else "none", scale.at(report.atol))
    if not report.allowed_atol:
        return (measured,)
    allowed = scale.at(report.allowed_atol)
    return Mark("range", measured.x, allowed), Mark("line", allowed), measured


def _row(name: str, report: OutputReport) -> tuple[str, ...]:
    allowed = "-" if report.allowed_atol is None else number(report.allowed_atol)
    return name, number(report.atol), number(report.rtol), allowed, report.used, report.problem or "ok"
