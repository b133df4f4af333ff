"""What was found of a pipeline -> what its reports are made from (pure)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_navigator.core.pipeline_facts import STEP, VERIFY, facts_of_whole
from pytest_navigator.core.steps import Status
from pytest_navigator.reporting.pipelines import MixReport, ModuleInPlace, PipelineReport

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_navigator.core.pipeline_facts import WholeFacts
    from pytest_navigator.core.records import Outcome
    from pytest_navigator.pipelines.pipeline_record import PipelineRecord
    from pytest_navigator.pipelines.recorded import GraphRecord

NOT_RUN = "not run"


@dataclass(frozen=True)
class PipelineResults:
    """A pipeline and all that was found of it.

    Attributes:
        outcomes: of the whole, and of the tests that verified it.
        graphs: name of a module -> what is known of its calls.
    """

    record: PipelineRecord
    outcomes: Sequence[Outcome] = ()
    graphs: Mapping[str, GraphRecord] = field(default_factory=dict)

    def whole(self, mix: str) -> Outcome | None:
        """Return what became of the pipeline with a mix, None if it has not run."""
        return next((each for each in self.outcomes if each.step == STEP and each.key == mix), None)

    def verified(self, mix: str) -> str:
        """Return what the user's tests of a mix say: "yes", "no", NOT_RUN; "" without any."""
        wanted = [nodeid for nodeid, own in self.record.verify.items() if own == mix]
        # Of several phases of a test the last one counts, which its record is.
        found = {str(each.data.get("nodeid")): each.passed for each in self.outcomes if each.step == VERIFY}
        answers = [found.get(nodeid) for nodeid in wanted]
        if False in answers:
            return "no"
        return NOT_RUN if None in answers else "yes" if answers else ""

    def failed(self, mix: str) -> list[str]:
        """Return the node ids of the user's tests that failed with a mix."""
        found = (each for each in self.outcomes if each.step == VERIFY and each.status is Status.FAILED)
        nodeids = (str(each.data.get("nodeid")) for each in found)
        return [nodeid for nodeid in nodeids if self.record.verify.get(nodeid) == mix]

    @property
    def missing(self) -> list[str]:
        """The mixes that have not run, or of which a test of the user's has not."""
        return [mix for mix in self.record.mixes if self.whole(mix) is None or self.verified(mix) == NOT_RUN]


def report_of(results: PipelineResults) -> PipelineReport:
    """Return what all reports of a pipeline are made from."""
    return PipelineReport(
        results.record.name,
        results.record.nodeid,
        tuple(results.record.modules),
        tuple(_mix(results, mix, found) for mix in results.record.mixes if (found := results.whole(mix))),
        tuple(_notes(results.graphs)),
    )


def _mix(results: PipelineResults, mix: str, found: Outcome) -> MixReport:
    facts = facts_of_whole(found)
    return MixReport(
        mix,
        found.status,
        found.message,
        facts.eager_ms,
        facts.ms,
        facts.speed_up,
        results.verified(mix),
        tuple(results.failed(mix)),
        tuple(_in_place(facts, name, runs) for name, runs in facts.modules.items()),
        facts.caveat,
    )


def _in_place(facts: WholeFacts, name: str, runs: str) -> ModuleInPlace:
    return ModuleInPlace(name, runs, facts.reasons.get(name, ""), tuple(facts.eagerly.get(name, ())))


def _notes(graphs: Mapping[str, GraphRecord]) -> list[str]:
    others = [
        f"{name} is called in {graph.others + 1} structures: the most frequent one has formats, the others run eagerly"
        for name, graph in graphs.items()
        if graph.others
    ]
    return [*others, *sorted({note for graph in graphs.values() for note in graph.notes})]
