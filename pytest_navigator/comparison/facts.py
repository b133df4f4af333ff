"""What a correctness step finds out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_navigator.comparison.divergence import Divergence  # noqa: TC001 (cattrs reads the annotation)
from pytest_navigator.comparison.tolerances import Rule  # noqa: TC001 (cattrs reads the annotation)
from pytest_navigator.core.execution import Compilation, GraphBreaks, NodeAssignment  # noqa: TC001 (cattrs reads the annotation)
from pytest_navigator.core.facts import Facts, facts_of
from pytest_navigator.core.records import OutputReport  # noqa: TC001 (cattrs reads the annotation)

if TYPE_CHECKING:
    from pytest_navigator.core.records import Outcome


@dataclass(frozen=True)
class CorrectnessFacts(Facts):
    """How a runner compares with the source; of a decoding step, over the steps of a generation.

    Attributes:
        outputs: of each output.
        cases: how many comparisons there were.
        rules: output -> what judged it.
        divergence: where the numbers first go another way; None: it was not looked for.
        nodes: what runs each node of an ONNX file; graph_breaks, compilation: of a compiled model; None: not of
            this runner.
        tokens: that the runner chose in a generation; ties: those of them that are not the source's, whose scores are
            as good as equal there.
    """

    steps = ("correctness", "decoding")

    outputs: tuple[OutputReport, ...] = ()
    cases: int = 0
    rules: dict[str, Rule] = field(default_factory=dict)
    divergence: Divergence | None = None
    nodes: NodeAssignment | None = None
    graph_breaks: GraphBreaks | None = None
    compilation: Compilation | None = None
    tokens: int | None = None
    ties: int | None = None

    @property
    def split(self) -> str:
        """What of the model runs elsewhere than it is meant to, as text; "": nothing, or nobody knows."""
        return "; ".join(each.text for each in (self.nodes, self.graph_breaks) if each and each.text)


def output_reports(outcome: Outcome) -> tuple[OutputReport, ...]:
    """Return how the outputs compare that a correctness or decoding step compared; none of any other outcome."""
    return facts_of(outcome, CorrectnessFacts).outputs
