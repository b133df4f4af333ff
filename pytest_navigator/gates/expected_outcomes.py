"""A suite's outcomes -> one word for each cell, or for the format that could not be made (pure)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pytest_navigator.comparison.facts import CorrectnessFacts
from pytest_navigator.core.expected import (
    CRASH,
    FAIL_CONVERT,
    FAIL_CORRECTNESS,
    FAIL_EXPORT,
    FAIL_SPEED,
    PASS,
    SKIP,
    TIMEOUT,
)
from pytest_navigator.core.facts import facts_of
from pytest_navigator.core.steps import Status, step_id
from pytest_navigator.gates.expected_reasons import reason_of
from pytest_navigator.isolation.breakdowns import ENDS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_navigator.core.records import Outcome, SuiteRecord
    from pytest_navigator.core.variants import Variant

# Kind of a step -> what its failure is called.
STAGES = {
    "export": FAIL_EXPORT,
    "convert": FAIL_CONVERT,
    "correctness": FAIL_CORRECTNESS,
    "decoding": FAIL_CORRECTNESS,
    "throughput": FAIL_SPEED,
    "profile": FAIL_SPEED,
    "quantization": FAIL_SPEED,
    "budget": FAIL_SPEED,
}
MAKING = ("export", "convert")
SPEED = tuple(step for step, word in STAGES.items() if word == FAIL_SPEED)

NOT_RUN = "not selected, or the run ended before it"

NEAR = ("close", "scaled")  # Kinds of rules that go by a difference


@dataclass(frozen=True)
class Found:
    """What became of a cell, or of the format that it is of.

    Attributes:
        name: "onnx-cpu"; "onnx" where it could not be made, or nothing runs it.
        word: one of `core.expected.WORDS`.
        step: id of the step that says so.
        message: one line, of what did not pass; reason: the same as it is written into the file.
        atol: output -> largest absolute difference, of those that are judged by one.
        failed: outputs whose difference was too large, where rounding explains every one of these; else none.
        measured: whether its speed was measured; unfinished: whether tests of that, which this suite has, did not run.
        requirement: what is missing here, if it was skipped for that.
        section: what the section is called that its line belongs to: the kind of device that it needs; "" for none.
    """

    name: str
    word: str
    step: str = ""
    message: str = ""
    reason: str = ""
    atol: dict[str, float] = field(default_factory=dict)
    failed: tuple[str, ...] = ()
    measured: bool = False
    unfinished: bool = False
    requirement: str = ""
    section: str = ""


@dataclass
class Observed:
    """What the outcomes of a suite say.

    Attributes:
        found: by name, what is known.
        made: key of a format that was made and that runners run -> its section.
        unjudged: name -> why nothing is known of it.
        above: name -> keys of the formats that it is made from, the nearest first.
        cells: key of a format -> names of its own cells.
        steps: ids of all steps that the suite has.
    """

    found: dict[str, Found] = field(default_factory=dict)
    made: dict[str, str] = field(default_factory=dict)
    unjudged: dict[str, str] = field(default_factory=dict)
    above: dict[str, tuple[str, ...]] = field(default_factory=dict)
    cells: dict[str, tuple[str, ...]] = field(default_factory=dict)
    steps: tuple[str, ...] = ()


def word_of(outcome: Outcome) -> str:
    """Return what the end of a step in `STAGES` is called; crash and hang are told apart from every other failure."""
    if outcome.status is Status.PASSED:
        return PASS
    if outcome.status is Status.SKIPPED:
        return SKIP
    if outcome.error == TIMEOUT:
        return TIMEOUT
    return CRASH if ENDS.fullmatch(outcome.error) else STAGES[outcome.step]


def observed(suite: SuiteRecord, outcomes: Iterable[Outcome]) -> Observed:
    """Return what became of each cell of a suite."""
    records = {outcome.id: outcome for outcome in outcomes}
    seen = Observed(steps=suite.steps)
    for variant in suite.variants:
        _relate(seen, suite, variant)
        _see(seen, suite, variant, records)
    return seen


def cells_of(suite: SuiteRecord, variant: Variant) -> dict[str, str]:
    """Return the cells of a format that are compared in this suite: name -> runner."""
    planned = set(suite.steps)
    runners = [r for r in variant.runners if step_id("correctness", variant.key, r) in planned]
    return {f"{variant.key}-{suite.runners[runner].runtime}": runner for runner in runners}


def _relate(seen: Observed, suite: SuiteRecord, variant: Variant) -> None:
    parents = {each.key: each.parent for each in suite.variants}
    line, cells = [variant.key], tuple(cells_of(suite, variant))
    seen.cells[variant.key] = cells
    while parent := parents.get(line[-1]):
        line.append(parent)
    seen.above[variant.key] = tuple(line[1:])
    seen.above |= dict.fromkeys(cells, tuple(line))


def _see(seen: Observed, suite: SuiteRecord, variant: Variant, records: dict[str, Outcome]) -> None:
    cells = cells_of(suite, variant)
    making = [step_id(kind, variant.key) for kind in MAKING if step_id(kind, variant.key) in suite.steps]
    section = _section(suite, cells.values() or variant.runners)
    made = records.get(making[0]) if making else None
    if making and (made is None or not made.passed):
        # What it is made from has failed: that one's line stands for it.
        if made is None or made.cause or (made.requirement and section):
            why = _why(made)
            seen.unjudged |= dict.fromkeys((variant.key, *cells), why)
        else:
            seen.found[variant.key] = _found(variant.key, made, section)
            seen.unjudged |= dict.fromkeys(cells, f"{made.id} {made.status.value}")
        return
    if making and not cells:
        seen.found[variant.key] = Found(variant.key, PASS, section=section)
    elif making:
        seen.made[variant.key] = section
    for name, runner in cells.items():
        _see_cell(seen, name, variant.key, runner, records, _section(suite, [runner]))


def _see_cell(seen: Observed, name: str, key: str, runner: str, records: dict[str, Outcome], section: str) -> None:
    compared, decoding = (records.get(step_id(kind, key, runner)) for kind in ("correctness", "decoding"))
    compared = decoding if decoding and decoding.failed else compared
    if compared is None or compared.cause or (compared.requirement and section):
        seen.unjudged[name] = _why(compared)
        return
    timed = [o for o in records.values() if (o.key, o.runner) == (key, runner) and o.step in SPEED]
    slow = next((o for o in timed if o.failed), None) if compared.passed else None
    found = _found(name, slow or compared, section, compared, measured=bool(timed))
    seen.found[name] = replace(found, unfinished=not speed_steps(seen.steps, key, runner) <= records.keys())


def speed_steps(steps: Iterable[str], key: str, runner: str) -> set[str]:
    """Return those of some ids that are of a cell's speed."""
    own = tuple(f"{step_id(kind, key, runner)}." for kind in SPEED)
    return {step for step in steps if f"{step}.".startswith(own)}


def _found(
    name: str, ended: Outcome, section: str, compared: Outcome | None = None, *, measured: bool = False
) -> Found:
    facts = facts_of(compared, CorrectnessFacts)
    reports = [r for r in facts.outputs if r.name in facts.rules and facts.rules[r.name].kind in NEAR]
    failed = [report for report in facts.outputs if report.problem]
    explained = all(report.suggestion and report in reports for report in failed)
    return Found(
        name,
        word_of(ended),
        step=ended.id,
        message="" if ended.passed else ended.message,
        reason="" if ended.passed else reason_of(ended),
        atol={report.name: report.atol for report in reports if math.isfinite(report.atol)},
        failed=tuple(report.name for report in failed) if explained else (),
        measured=measured,
        requirement=ended.requirement,
        section=section,
    )


def _why(outcome: Outcome | None) -> str:
    """Return why nothing is known of what a step would have said."""
    if outcome is None:
        return NOT_RUN
    return outcome.requirement or (f"it needs {outcome.cause}" if outcome.cause else outcome.message)


def _section(suite: SuiteRecord, runners: Iterable[str]) -> str:
    """Return the kind of device without which none of these runners runs; "" where a processor does."""
    devices = {suite.runners[runner].device for runner in runners if runner in suite.runners}
    return next(iter(devices)) if len(devices) == 1 and "cpu" not in devices else ""
