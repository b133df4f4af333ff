"""What a package's outcomes say of its formats and runners (pure)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pytest_navigator.core.records import Outcome
from pytest_navigator.core.steps import Status
from pytest_navigator.errors import PackageError, StrategyError
from pytest_navigator.gates.vouched import BY_HAND
from pytest_navigator.package.query.strategies import DEFAULT, candidates, choose, choose_possible, figures_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from pytest_navigator.core.variants import Variant
    from pytest_navigator.package.query.choice import Cell, Wanted
    from pytest_navigator.package.query.results import Results
    from pytest_navigator.package.query.strategies import Figure, Strategy

UNVERIFIED = (
    "no verify_ test vouches for it, nor set_verified; write such a test, or call package.set_verified(format, "
    "runtime), or leave out verified_only"
)


def made(results: Results, variant: Variant) -> Outcome | None:
    """Return the step after which a format is there; the source step for the source."""
    return results.made(variant.key) if variant.file else results.source


def good(results: Results, variant: Variant) -> bool:
    """Whether a format was made and passed correctness somewhere; the source is what the others are compared with."""
    checked = not variant.file or any(passed(results, variant.key, name) for name in variant.runners)
    return checked and possible(results, variant)


def possible(results: Results, variant: Variant) -> bool:
    """Whether a format was made, and passed correctness somewhere unless no machine was there to check it."""
    step = made(results, variant)
    checks = [outcome for name in variant.runners if (outcome := results.correctness(variant.key, name))]
    wrong = any(outcome.failed for outcome in checks) and not any(outcome.passed for outcome in checks)
    return bool(step and step.passed) and not wrong


def passed(results: Results, key: str, runner: str) -> bool:
    """Whether a runner passed correctness."""
    outcome = results.correctness(key, runner)
    return bool(outcome and outcome.passed)


def is_judged(results: Results) -> bool:
    """Whether functions of the user's judged any format: then only what they are content with is right."""
    return any(results.verifications(*cell) for cell in results.cells())


def latencies(results: Results) -> dict[str, float]:
    """Return the median latency in ms of each format's fastest runner, at the smallest batch size of that format.

    Of all that was measured: what is slower or larger than its float format is not chosen, and has figures still.
    """
    figures: dict[str, list[Figure]] = {}
    for figure in figures_of(results, results.cells()):
        figures.setdefault(figure.key, []).append(figure)
    return {key: _latency(own) for key, own in figures.items()}


def runnable(results: Results, cells: Sequence[Cell], *, verified_only: bool = False) -> list[Cell]:
    """Return the cells that can be handed out: those that passed, then those that no machine has checked.

    Of each, those that may be chosen by their figures come first.

    Raises:
        PackageError: there are none; with what became of the first one.
    """
    allowed = [cell for cell in cells if not verified_only or results.verified(*cell)]
    if not allowed:
        raise PackageError(f"{_place(*cells[0])} is not verified: {UNVERIFIED}")
    ranked = sorted(allowed, key=lambda cell: (not passed(results, *cell), not results.worth(*cell)))
    found = [cell for cell in ranked if not _failure(results, *cell)]
    if not found:
        raise PackageError(_failure(results, *ranked[0]))
    return found


def status(results: Results, wanted: Wanted) -> bool:
    """Return whether one of the formats that are meant was made and, with a runtime, passed correctness there.

    Raises:
        PackageError: there is no such format or runtime.
    """
    variants = wanted.variants(results)
    if wanted.runtime is None:
        return any(good(results, variant) for variant in variants)
    return any(passed(results, *cell) for cell in wanted.cells(results, variants))


def chosen(
    results: Results,
    wanted: Wanted,
    strategies: Strategy | Sequence[Strategy] | None,
    *,
    include_source: bool,
    verified_only: bool,
    possible: Callable[[Figure], bool] | None = None,
) -> Figure:
    """Return what strategies choose of the runners that are meant; None: the default ones.

    Args:
        possible: whether a runner can run here: the default strategies choose of those, if there are any. None: of all.

    Raises:
        PackageError: there is no such runner.
        StrategyError: no strategy has an answer, or the keywords leave nothing to choose from.
    """
    cells = set(wanted.cells(results, wanted.variants(results)))
    found = _figures(results, cells, include_source=include_source, verified_only=verified_only)
    if strategies is None and possible is not None:
        return choose_possible(found, possible)
    return choose(found, DEFAULT if strategies is None else strategies)


def _figures(results: Results, cells: Collection[Cell], *, include_source: bool, verified_only: bool) -> list[Figure]:
    """Return the figures that a strategy may choose from.

    Raises:
        StrategyError: there are some, but what the keywords ask for leaves none.
    """
    found = _among(candidates(results, include_source=include_source, verified_only=verified_only), cells)
    files = _among(candidates(results, include_source=include_source), cells)
    measured = _among(candidates(results), cells)
    objections = [results.objection(*cell) for cell in sorted(cells) if figures_of(results, [cell])]
    if objections and all(objections):
        raise StrategyError(f"nothing may be chosen by its figures, only by its name: {'; '.join(objections)}")
    if files and not found:
        raise StrategyError(f"nothing that has figures is verified, {files[0].place} for example: {UNVERIFIED}")
    if measured and not found:
        raise StrategyError(
            f"only the live model has figures ({measured[0].place}), and include_source=False leaves it out"
        )
    return found


def _among(figures: Sequence[Figure], cells: Collection[Cell]) -> list[Figure]:
    return [figure for figure in figures if (figure.key, figure.runner) in cells]


def verified(results: Results, cells: Sequence[Cell]) -> Results:
    """Return the results with cells verified by hand.

    Raises:
        PackageError: one cannot be.
    """
    right = [cell for cell in cells if passed(results, *cell)]
    if not right:
        reason = _failure(results, *cells[0]) or f"{_place(*cells[0])} was not checked"
        raise PackageError(f"{reason}; what did not pass correctness cannot be verified")
    outcomes = [o for o in results.outcomes if not (_by_hand(o) and (o.key, o.runner) in right)]
    changed = replace(results, outcomes=(*outcomes, *(_verification(results, *cell) for cell in right)))
    for cell in right:
        if not changed.verified(*cell):
            raise PackageError(f"{_place(*cell)}: {_objection(changed, *cell)}")
    return changed


def _latency(figures: Sequence[Figure]) -> float:
    smallest = min(figure.batch_size or 0 for figure in figures)
    return min(figure.p50_latency for figure in figures if (figure.batch_size or 0) == smallest)


def _failure(results: Results, key: str, runner: str) -> str:
    """Return why a cell cannot be handed out, "" if it can."""
    step, check = made(results, results.variant(key)), results.correctness(key, runner)
    if step is None or not step.passed:
        return f"{key} was not made: {step.message if step else 'its step did not run'}"
    if check and check.failed:
        return f"{_place(key, runner)} failed correctness: {check.message}"
    return ""


def _verification(results: Results, key: str, runner: str) -> Outcome:
    if results.variant(key).file:
        step = results.made(key)
        digest = step.digest_of(key) if step else ""
    else:
        digest = results.source_facts.fingerprint or (results.source.digest if results.source else "")
    return Outcome(
        step="verify",
        status=Status.PASSED,
        key=key,
        runner=runner,
        started=datetime.now(UTC).isoformat(),
        digest=digest,
        data={"nodeid": BY_HAND},
    )


def _by_hand(outcome: Outcome) -> bool:
    return outcome.step == "verify" and outcome.notes.nodeid == BY_HAND


def _objection(results: Results, key: str, runner: str) -> str:
    against = [o for o in results.verifications(key, runner) if not (o.passed and results.current(o))]
    if against:
        return f"{against[0].notes.nodeid} {against[0].status} for it; run that test again first"
    return f"its verify_ tests did not all run ({', '.join(results.unverified(key, runner))})"


def _place(key: str, runner: str) -> str:
    return f"{key} on {runner}"
