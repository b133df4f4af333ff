"""What formats with fewer digits lose and gain: a line for each (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.core.facts import facts_of
from pytest_navigator.gates.facts import QuantizationFacts
from pytest_navigator.gates.quantization import line

if TYPE_CHECKING:
    from pytest_navigator.package.query.results import Results


def quantizations(results: Results) -> list[str]:
    """Return accuracy, speed and size of each format beside the one with more digits."""
    return [
        f"quantization: {outcome.key}-{results.suite.runners[outcome.runner].runtime}: {_line(facts)}"
        for outcome in results.outcomes
        if (facts := facts_of(outcome, QuantizationFacts)).reference
    ]


def _line(facts: QuantizationFacts) -> str:
    """Return the line with what is wrong, and what of that is allowed."""
    words = [f"{word} (allowed)" if word in facts.allowed else word.upper() for word in facts.worse]
    return f"{' and '.join(words)}: {line(facts)}" if words else line(facts)
