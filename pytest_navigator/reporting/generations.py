"""What decoders did in this run: a line for the runners that chose the source's tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.comparison.facts import CorrectnessFacts
from pytest_navigator.core.facts import facts_of

if TYPE_CHECKING:
    from pytest_navigator.package.query.results import Results


def generations(results: Results) -> list[str]:
    """Return a line for each length of a generation; a runner that went another way has failed in its row."""
    found: dict[tuple[int, int], list[str]] = {}
    for outcome in results.outcomes:
        if outcome.step == "decoding" and outcome.passed:
            facts, runtime = facts_of(outcome, CorrectnessFacts), results.suite.runners[outcome.runner].runtime
            found.setdefault((facts.cases - 1, facts.tokens or 0), []).append(f"{outcome.key}-{runtime}")
    return [
        f"decoding: a prefill and {steps} steps with a runner's own cache, {tokens} tokens as the source chose them: "
        f"{', '.join(cells)}"
        for (steps, tokens), cells in found.items()
    ]
