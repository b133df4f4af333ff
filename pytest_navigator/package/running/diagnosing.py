"""A comparison of a package, as what looks into an artifact is asked about it."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_navigator.backends.builtin import known
from pytest_navigator.comparison.divergence import NOT_APPLICABLE, SPREAD, UNKNOWN, Divergence
from pytest_navigator.comparison.facts import CorrectnessFacts
from pytest_navigator.configuration.foreign_arguments import check_arguments, check_parameters
from pytest_navigator.core.facts import facts_of
from pytest_navigator.errors import NotApplicable, PackageError
from pytest_navigator.formats.diagnosis import Question, worst_case
from pytest_navigator.isolation.importing import imported
from pytest_navigator.package.query.selection import artifact_names, holds
from pytest_navigator.package.running.artifacts import check_runs_here, names, runner_class
from pytest_navigator.runners.spec import RunnerSpec

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_navigator.core.records import Outcome
    from pytest_navigator.core.variants import Variant
    from pytest_navigator.formats.diagnosis import Diagnosis
    from pytest_navigator.package.container.reader import PackageFile
    from pytest_navigator.package.query.results import Results

NEEDS_MODEL = "{} is looked into beside the live model, which no package holds: run its tests again"


def diagnose(package: PackageFile, cell: str, folder: Path, seconds: float) -> Divergence:
    """Return where the numbers of a runner first go another way than the source's, on the sample that was worst.

    Args:
        cell: "onnx-cpu".
        folder: for the files of the package that it needs, and for what it leaves.
        seconds: that it may take.

    Raises:
        PackageError: there is no such comparison, or the package lacks what it needs.
    """
    results = package.results
    outcome = comparison(results, cell)
    check_runs_here(results, outcome.key, outcome.runner)
    kind = runner_class(results.suite.runners[outcome.runner])
    way = _way(results, outcome, kind.diagnosis)
    if way is None:
        return Divergence(NOT_APPLICABLE, reason=f"no way is known to look into {outcome.key}")
    question = _question(results, outcome, cell, folder, seconds)
    question = replace(question, runner=RunnerSpec.of(kind).record())
    _extract(package, question)
    try:
        if way.needs_model and way.asks_model(question):
            raise NotApplicable(NEEDS_MODEL.format(cell))
        found = way.compare(question)
    except NotApplicable as error:
        found = Divergence(NOT_APPLICABLE, reason=str(error))
    before = recorded(results, cell)
    added_up = before is not None and before.verdict == SPREAD  # beside the live model too
    if not (outcome.passed or added_up or way.needs_model) and found.verdict == SPREAD:
        found = replace(found, reason="; ".join(filter(None, (found.reason, _reference(results, outcome)))))
    spent = round(time.monotonic() - question.began, 3)
    return replace(found, sample=question.case.sample, case=question.case.kind, seconds=spent)


def recorded(results: Results, cell: str) -> Divergence | None:
    """Return what the run has found out of a cell; None: nothing."""
    found = facts_of(comparison(results, cell), CorrectnessFacts).divergence
    return None if found is None or found.verdict in (UNKNOWN, NOT_APPLICABLE) else found


def _reference(results: Results, failed: Outcome) -> str:
    """Return what a file is compared with that fails and in which nothing stands out: it may be wrong itself."""
    programs = {variant.key for variant in results.suite.variants if "program" in variant.format} - {failed.key}
    wrong = [each for each in results.outcomes if each.step == "correctness" and each.key in programs and each.failed]
    if wrong:
        return f"the exported program that it is compared with is wrong itself: look into {wrong[0].key}"
    return "what it is compared with may be wrong itself, which no package tells: run its tests again"


def comparison(results: Results, cell: str) -> Outcome:
    """Return how the outputs of a cell were compared.

    Raises:
        PackageError: there is no such cell, or nothing of it was compared.
    """
    cells = {f"{key}-{results.suite.runners[runner].runtime}": (key, runner) for key, runner in results.cells()}
    if cell not in cells:
        raise PackageError(f"there is no {cell!r} (there are: {', '.join(cells)})")
    outcome = results.correctness(*cells[cell])
    if outcome is None or results.signature is None or not facts_of(outcome, CorrectnessFacts).outputs:
        why = f" ({outcome.message})" if outcome else ""
        raise PackageError(f"{cell} was not compared with the source{why}")
    return outcome


def _way(results: Results, outcome: Outcome, own: str) -> Diagnosis | None:
    form = known().formats.get(results.variant(outcome.key).format)
    path = own or (form.diagnosis if form else "")
    way: Diagnosis | None = imported(path)() if path else None
    return way


def _question(results: Results, outcome: Outcome, cell: str, folder: Path, seconds: float) -> Question:
    facts = facts_of(outcome, CorrectnessFacts)
    assert results.signature is not None  # `comparison` has seen to that
    case, failed = worst_case(facts.outputs, results.source_facts.cases)
    return Question(
        str(folder),
        outcome.key,
        {variant.key: _checked(variant) for variant in results.suite.variants},
        results.suite.runners[outcome.runner],
        cell,
        results.signature,
        case,
        failed,
        facts.rules,
        seconds,
    )


def _checked(variant: Variant) -> Variant:
    if variant.file:
        check_arguments(variant, making=False)
    check_parameters(variant)
    return variant


def _extract(package: PackageFile, question: Question) -> None:
    """Write what a diagnosis may read: the artifact, what it was made from, exported programs, and the sample."""
    samples = [question.case.input, question.case.output]
    if not all(name in package.files() for name in samples):
        raise PackageError(f"{package.path}: it has no samples to compare: pack it with --nav-save-data=all")
    results = package.results
    _, files = names(package, results, question.variant)
    others = {*results.chain(question.key), *(v.key for v in question.variants.values() if "program" in v.format)}
    for key in others - {question.key}:
        found = artifact_names(package.files(), key)
        files += found if holds(found, results.variant(key).place) else []
    package.extract([*files, *samples], question.root)
