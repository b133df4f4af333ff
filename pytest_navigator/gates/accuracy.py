"""Whether outputs are further from the source's than before, by more than rounding explains (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.comparison.facts import CorrectnessFacts
from pytest_navigator.comparison.precisions import DEFAULTS, PRECISIONS, coarsest
from pytest_navigator.comparison.tolerances import number
from pytest_navigator.core.facts import facts_of
from pytest_navigator.gates.rows import Row, Verdict

if TYPE_CHECKING:
    from pytest_navigator.core.records import OutputReport
    from pytest_navigator.gates.sides import Cell, Side

# Another number of threads, other optimizations and another order of sums change the largest difference of a model by
# up to 1.5 times, and no difference that they leave is above 8 units in the last place of the largest value
# (docs/regressions.md has the figures): what is beyond both, with room, has another cause.
TIMES = 4.0
UNITS = 16

# Precision -> the distance from 1 to the next number.
EPS = {
    "fp64": 2**-52,
    "fp32": 2**-23,
    "tf32": 2**-10,
    "fp16": 2**-10,
    "bf16": 2**-7,
    "int8": 2**-7,
    "int4": 2**-3,
    "fp8": 2**-3,
}

MOST = 100.0  # dB from which on nothing differs that matters
DECIBELS = 6.0  # By which the ratio of signal to noise may fall: twice the noise

MEASURED = ("close", "scaled")  # Rules of outputs whose largest difference means something


def accuracy_rows(before: Side, after: Side, cell: Cell) -> list[Row]:
    """Judge the measured difference of each output, where the cell passes on both sides."""
    if not (before.passed(cell) and after.passed(cell)):
        return []
    was, now = (facts_of(side.checked(cell), CorrectnessFacts) for side in (before, after))
    old = {report.name: report for report in was.outputs}
    other = _other_samples(before, after)
    names = [report.name for report in now.outputs if now.rules and now.rules[report.name].kind in MEASURED]
    reports = {report.name: report for report in now.outputs}
    noisy = [name for name in reports if now.rules and now.rules[name].kind == "snr"]
    rows = [_noise_row(after, cell, old[name], reports[name], other) for name in noisy if name in old]
    return rows + [
        _row(after, cell, old[name], reports[name], floor(after, cell, reports[name], now), other)
        for name in names
        if name in old
    ]


def _noise_row(side: Side, cell: Cell, was: OutputReport, now: OutputReport, other: str) -> Row:
    """Compare the noise of an output: in dB, where twice the noise is 6 less."""
    verdict, reason = Verdict.NOT_JUDGED, other or "its noise was not recorded"
    if not other and was.snr is not None and now.snr is not None:
        fallen = min(was.snr, MOST) - min(now.snr, MOST)
        verdict = Verdict.WORSE if fallen > DECIBELS else Verdict.BETTER if fallen < -DECIBELS else Verdict.SAME
        reason = f"more than {DECIBELS:g} dB less" if verdict is Verdict.WORSE else ""
    return Row("noise", f"{side.cell_id(cell)} {now.name}", was.snr, now.snr, verdict, reason)


def _other_samples(before: Side, after: Side) -> str:
    """Return why the figures of two sides are not of the same samples; "" where they are."""
    if not before.samples or not after.samples:
        return "no samples were kept"
    return "" if before.samples == after.samples else "other samples"


def floor(side: Side, cell: Cell, report: OutputReport, facts: CorrectnessFacts) -> float | None:
    """Return the difference that rounding explains wherever it comes from; None where the scale was not recorded."""
    if report.largest is None:
        return None
    return UNITS * EPS[_precision(side, cell, report, facts)] * report.largest


def _precision(side: Side, cell: Cell, report: OutputReport, facts: CorrectnessFacts) -> str:
    """Return the coarsest precision that an output went through, as far as that is known."""
    dtypes = {spec.name: spec.dtype for spec in side.signature.outputs} if side.signature else {}
    own = PRECISIONS.get(dtypes.get(report.name, ""), "fp32")
    made_in = str(side.variants[cell[0]].parameters.get("precision") or "")
    said = [word for word in (made_in, *facts.rules[report.name].note.split()) if word in DEFAULTS]
    return coarsest(own, *said)


def _row(side: Side, cell: Cell, was: OutputReport, now: OutputReport, floor: float | None, other: str) -> Row:
    verdict, reason = _judged(was.atol, now.atol, floor, other)
    subject = f"{side.cell_id(cell)} {now.name}"
    return Row("tolerance", subject, was.atol, now.atol, verdict, reason)


def _judged(was: float, now: float, floor: float | None, other: str) -> tuple[Verdict, str]:
    if other or floor is None:
        return Verdict.NOT_JUDGED, other or "its scale was not recorded"
    if now > max(TIMES * was, floor):
        return Verdict.WORSE, f"rounding explains {number(max(TIMES * was, floor))}"
    better = was > max(TIMES * now, floor)
    return (Verdict.BETTER if better else Verdict.SAME), ""
