"""What a correctness step finds out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_navigator.comparison.divergence import Divergence  # noqa: TC001 (cattrs reads the annotation)
from pytest_navigator.comparison.tolerances import Rule  # noqa: TC001 (cattrs reads the annotation)
from pytest_navigator.core.facts import Facts, facts_of
from pytest_navigator.core.records import OutputReport  # noqa: TC001 (cattrs reads the annotation)

if TYPE_CHECKING:
    from pytest_navigator.core.records import Outcome


@dataclass(frozen=True)
class CorrectnessFacts(Facts):
    """How a runner compares with the source.

    Attributes:
        outputs: of each output.
        cases: how many comparisons there were.
        rules: output -> what judged it.
        divergence: where the numbers first go another way; None: it was not looked for.
    """

    steps = ("correctness",)

    outputs: tuple[OutputReport, ...] = ()
    cases: int = 0
    rules: dict[str, Rule] = field(default_factory=dict)
    divergence: Divergence | None = None


def output_reports(outcome: Outcome) -> tuple[OutputReport, ...]:
    """Return how the outputs compare that a correctness step compared; none of any other outcome."""
    return facts_of(outcome, CorrectnessFacts).outputs
