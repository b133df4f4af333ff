"""Which format stands in the place of a module, by what its package says of it, or why none does (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_navigator.core.steps import Status
from pytest_navigator.errors import StrategyError
from pytest_navigator.package.query.strategies import DEFAULT, candidates, choose
from pytest_navigator.profiling.figures import times
from pytest_navigator.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_navigator.core.records import Outcome
    from pytest_navigator.package.query.results import Results
    from pytest_navigator.package.query.strategies import Figure, Strategy

DOUBTFUL = 2.0
"""Up to so many times slower a format may be where others used the processors: the pipeline with it tells more."""

TOLD = 3
"""Formats of which it is said what is wrong with them."""


@dataclass(frozen=True)
class Verdict:
    """What a graph's package says.

    Attributes:
        format, runner: what is chosen; "" where the module stays as it is.
        reason: why; of a format, by how much it is faster.
        eager_ms, chosen_ms: p50 latency of one recorded call, in ms; None where it was not measured.
        caveat: what a reader of both must know; "" for nothing. spread: by what share they may be others.
        slower: whether it stays for speed alone.
    """

    format: str = ""
    runner: str = ""
    reason: str = ""
    eager_ms: float | None = None
    chosen_ms: float | None = None
    caveat: str = ""
    spread: float = 0.0
    slower: bool = False


def verdict_of(
    results: Results, strategies: Strategy | Sequence[Strategy] = DEFAULT, *, verified_only: bool = False
) -> Verdict:
    """Return the best format that passed correctness if it is faster than the module itself.

    The live model compiled is none: it is made again in each process, and nothing of it can be stored.

    Args:
        verified_only: leave out what no `verify_func` or `verify_` test of the module vouches for.
    """
    files = candidates(results, include_source=False, verified_only=verified_only)
    if not files:
        return _unchosen(_none_passed(results), results)
    try:
        best = choose(files, strategies)
    except StrategyError as error:
        return _unchosen(one_line(str(error)), results)
    return compared(best, next((own for own in _eager(results) if own.batch_size == best.batch_size), None))


def compared(best: Figure, eager: Figure | None) -> Verdict:
    """Return the best format if it is faster than the module itself, or might be, for all that was measured."""
    if eager is None:
        told = "the module itself was not measured"
        return Verdict(best.key, best.runner, told, None, best.p50_latency, best.caveat, best.spread)
    known = eager.caveat or best.caveat, max(eager.spread, best.spread)
    figures = eager.p50_latency, best.p50_latency, *known
    before, after = eager.span.value, best.span.value
    gain = times(before, after)
    if after < before:
        return Verdict(best.key, best.runner, f"{gain} as fast", *figures)
    if known[0] and after < DOUBTFUL * before:
        return Verdict(best.key, best.runner, f"{gain} as fast alone, which is in doubt: {known[0]}", *figures)
    reason = f"no format is faster: the best one, {best.place}, has {gain} its speed"
    if known[0] and best.span.low < before:
        reason += f", which is in doubt: {known[0]}"
    return Verdict("", "", reason, *figures, slower=True)


def _unchosen(reason: str, results: Results) -> Verdict:
    own = next(iter(_eager(results)), None)
    return (
        Verdict(reason=reason)
        if own is None
        else Verdict("", "", reason, own.p50_latency, None, own.caveat, own.spread)
    )


def _eager(results: Results) -> list[Figure]:
    """Return the figures of the module itself, as the pipeline runs it: not compiled."""
    return [
        figure
        for figure in candidates(results)
        if not results.variant(figure.key).file and "compile" not in results.suite.runners[figure.runner].runtime
    ]


def _none_passed(results: Results) -> str:
    """Return what went wrong with each format, in one line."""
    found = dict(_failures(results))
    told = [f"{key}: {message}" for key, message in list(found.items())[:TOLD]]
    more = f"; and {len(found) - TOLD} more" if len(found) > TOLD else ""
    return one_line(f"no format of it is right: {'; '.join(told)}{more}" if told else "no format of it was checked")


def _failures(results: Results) -> Iterator[tuple[str, str]]:
    for variant in results.suite.variants:
        checks = [results.correctness(variant.key, name) for name in variant.runners]
        verified = [each for name in variant.runners for each in results.verifications(variant.key, name)]
        steps = [results.made(variant.key), *checks, *verified]
        bad = next((step for step in steps if step is not None and _is_bad(step)), None)
        if bad is not None and variant.file:
            yield variant.key, f"{bad.step} {bad.message}" if bad.step in ("correctness", "verify") else bad.message


def _is_bad(outcome: Outcome) -> bool:
    return outcome.status is Status.FAILED
