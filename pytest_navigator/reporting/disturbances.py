"""Which rankings of a summary are within the disturbance of their figures, and what would help (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.core.facts import profile_result
from pytest_navigator.package.query.disputed import disputed
from pytest_navigator.profiling.figures import WAITED, rounded
from pytest_navigator.profiling.quiet import is_disturbed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_navigator.core.records import Outcome, ProfileResult
    from pytest_navigator.package.query.results import Results
    from pytest_navigator.package.query.strategies import Figure
    from pytest_navigator.profiling.quiet import Span

DISTURBED = "disturbed"
NAMED = 3  # Rivals, and other processes, that a line names
DIGITS = 0.05  # Spread of the figures of such a line: nobody knows more of them

PLUGINS = {"coverage": "-p no:cov", "cProfile": "-p no:profiling"}
"""Tools that watch every call of Python -> what leaves the pytest plugin out that starts them."""


def disturbances(results: Results) -> list[str]:
    """Return what `disputes` does, and what would help, which may name other programs of the machine."""
    lines = disputes(results)
    return [*lines, *(help_of(results.outcomes) if lines else [])]


def disputes(results: Results) -> list[str]:
    """Return a line for the rankings that are within the disturbance."""
    told: dict[str, list[str]] = {}
    for name, (chosen, *others) in disputed(results).items():
        told.setdefault(_between(chosen, others), []).append(name)
    return [f"{DISTURBED}: {', '.join(names)}: {text}" for text, names in told.items()]


def _between(chosen: Figure, others: Sequence[Figure]) -> str:
    """Return between which the order is open: the one that was seen to be fastest, and those that may be faster."""
    named = ", ".join(f"{each.place} ({undisturbed(each.span)})" for each in others[:NAMED])
    more = f" and {len(others) - NAMED} more" if len(others) > NAMED else ""
    return (
        f"the order is within the disturbance; {chosen.place} was seen to be fastest ({undisturbed(chosen.span)}), "
        f"{named}{more} may be faster"
    )


def undisturbed(span: Span) -> str:
    """Return what a call takes undisturbed: "0.075 to 0.15 ms"."""
    if not span.disturbed:
        return f"{rounded(span.value, DIGITS)} ms"
    low = f"{rounded(span.low, DIGITS)} to " if span.low > 0 else "at most "
    return f"{low}{rounded(span.high, DIGITS)} ms"


def help_of(outcomes: Iterable[Outcome]) -> list[str]:
    """Return what would keep the figures from being disturbed, as one line; nothing where nobody knows."""
    own = [o for o in outcomes if o.step == "profile" and o.passed and is_disturbed(profile_result(o))]
    found = [profile_result(outcome) for outcome in own]
    advice = [*_threads(found), *_beside(found), *_workers(own), *_watched(found)]
    return [f"{DISTURBED}: what would help: {'; '.join(advice)}"] if advice else []


def _threads(found: Sequence[ProfileResult]) -> list[str]:
    shared = [each for each in found if each.threads > 1 and each.spinning and (each.waited or 0.0) >= WAITED]
    settings = dict.fromkeys(text for each in shared for text in each.spinning)
    if not shared:
        return []
    share = max(each.waited or 0.0 for each in shared)
    return [f"{', '.join(settings)} (threads that spin kept others waiting for {100 * share:.0f} % of the time)"]


def _beside(found: Sequence[ProfileResult]) -> list[str]:
    largest: dict[str, float] = {}
    for each in found:
        for name, share in each.others.items():
            largest[name] = max(share, largest.get(name, 0.0))
    ranked = sorted(largest.items(), key=lambda each: -each[1])[:NAMED]
    if ranked:
        return [f"nothing beside it ({', '.join(f'{name} used {100 * share:.0f} %' for name, share in ranked)})"]
    share = max((each.contention or 0.0 for each in found), default=0.0)
    return [f"nothing beside it (others used {100 * share:.0f} % of the processors)"] if share >= 0.01 else []


def _workers(outcomes: Sequence[Outcome]) -> list[str]:
    names = dict.fromkeys(outcome.notes.worker for outcome in outcomes if outcome.notes.worker)
    return [f"no -n ({', '.join(names)} ran side by side)"] if len(names) > 1 else []


def _watched(found: Sequence[ProfileResult]) -> list[str]:
    tools = dict.fromkeys(name for each in found for name in each.tracing)
    return [f"{PLUGINS.get(name, f'a run without {name}')} ({name} watches every call)" for name in tools]
