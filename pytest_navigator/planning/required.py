"""What `--nav-require` names -> the steps that must have passed; what became of them -> why it is not met (pure)."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from pytest_navigator.core.records import Required
from pytest_navigator.core.steps import KINDS, Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pytest_navigator.core.records import Outcome
    from pytest_navigator.core.steps import Step
    from pytest_navigator.planning.matrix import Matrix

# Of several runners that would do: whose outcome says best why none did.
WORST_FIRST = (Status.FAILED, Status.XFAILED, Status.SKIPPED)


def required_of(matrix: Matrix, names: Iterable[str]) -> tuple[Required, ...]:
    """Return what the names ask of a suite; a name that means nothing in it asks for nothing."""
    found = ((name, *_meant(name, matrix)) for name in dict.fromkeys(names))
    return tuple(Required(name, needs, checks) for name, needs, checks in found if needs or checks)


def asked_for(required: Iterable[Required], step: str) -> bool:
    """Whether a step itself must pass: no other one would do in its place."""
    return any((step,) in each.checks or step in each.needs for each in required)


def stops(required: Iterable[Required], found: Outcome, records: Mapping[str, Outcome]) -> bool:
    """Whether a skipped step is known to be the end of a requirement.

    Where another failure is the cause, or another step of the same requirement says so already, or another runner may
    still do, it is not this step that fails.

    Args:
        records: what is known so far, by the step's id.
    """
    cause = records.get(found.cause)
    if found.status is not Status.SKIPPED or (cause is not None and cause.status is Status.FAILED):
        return False
    for each in required:
        own = [step for group in each.checks for step in group]
        group = next((group for group in each.checks if found.id in group), ())
        others = [records.get(step) for step in group if step != found.id]
        if group and found.cause not in own and all(o is not None and not o.passed for o in others):
            return True
    return False


def unmet(required: Iterable[Required], outcomes: Mapping[str, Outcome], expected: Mapping[str, str]) -> list[str]:
    """Return a line for each reason why something required was not checked, or did not pass.

    Args:
        outcomes: of this run, by the step's id.
        expected: id of a step -> why `xfail` of nav_config expects it to fail.
    """
    names: dict[tuple[str, str], list[str]] = defaultdict(list)
    for each in required:
        if (step := _lacking(each, outcomes)) is not None:
            names[_verdict(each, step, outcomes), _reason(step, outcomes.get(step), expected)].append(each.name)
    return [f"required {', '.join(who)} {verdict}: {why}" for (verdict, why), who in names.items()]


def _meant(name: str, matrix: Matrix) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Return the steps that lead to what a name means, and its own."""
    groups = list(dict.fromkeys([*_of_formats(name, matrix), *_of_cells(name, matrix)]))
    own = {step for group in groups for step in group}
    before = [needed for group in groups for step in group for needed in matrix.before(step)]
    # A budget that a measurement is missing for is skipped, and says so itself.
    needs = tuple(step.id for step in dict.fromkeys(before) if step not in own and not KINDS[step.step].measures)
    return needs, tuple(tuple(step.id for step in group) for group in groups)


def _of_formats(name: str, matrix: Matrix) -> Iterator[tuple[Step, ...]]:
    # Its making and one of its checks, whichever runner does them: that is what it takes to have the format.
    for variant in matrix.variants.values():
        if name in (variant.key, variant.format):
            yield (matrix.making(variant.key),)
            if checks := matrix.checks(variant.key):
                yield tuple(checks)


def _of_cells(name: str, matrix: Matrix) -> Iterator[tuple[Step]]:
    """Yield the check of a cell, or of every cell that a runner or a runtime runs, and its budgets."""
    for key in matrix.variants:
        for step in matrix.checks(key):
            if name in (matrix.cell_id(key, step.runner), step.runner, matrix.runners[step.runner].runtime):
                yield (step,)
                yield from ((budget,) for budget in matrix.budgets_of(key, step.runner))


def _lacking(required: Required, outcomes: Mapping[str, Outcome]) -> str | None:
    """Return the step by which a requirement is not met, None if it is: the cause, not what follows from it."""
    groups = [*((step,) for step in required.needs), *required.checks]
    lacking = [group for group in groups if not any((o := outcomes.get(step)) and o.passed for step in group)]
    ran = [outcomes[step] for group in lacking for step in group if step in outcomes]
    # What has run says more than what has not; a step that was not selected leaves all before it unrun as well.
    for status in WORST_FIRST if lacking else ():
        if found := next((o for o in ran if o.status is status), None):
            return found.cause if found.cause in outcomes else found.id
    return lacking[-1][0] if lacking else None


def _verdict(required: Required, step: str, outcomes: Mapping[str, Outcome]) -> str:
    found = outcomes.get(step)
    compared = found is not None and found.status is Status.FAILED and found.step in ("correctness", "budget")
    return "did not pass" if compared and any(step in group for group in required.checks) else "was not checked"


def _reason(step: str, found: Outcome | None, expected: Mapping[str, str]) -> str:
    if found is None:
        return f"{step} did not run (it was not selected, or the run ended before it)"
    text = f"{step} {found.status.value}" + (f": {found.message}" if found.message else "")
    return f"{text} (xfail of nav_config: {expected[step]})" if step in expected else text
