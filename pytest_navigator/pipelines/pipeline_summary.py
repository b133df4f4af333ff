"""What the end of a run says of a pipeline (pure)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_navigator.core.steps import Status
from pytest_navigator.pipelines.pipeline_record import BEST, STEP, VERIFY, facts_of_whole
from pytest_navigator.text import columns, one_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_navigator.core.records import Outcome
    from pytest_navigator.pipelines.pipeline_record import PipelineRecord
    from pytest_navigator.pipelines.recorded import GraphRecord

NOT_RUN = "not run"
HEADINGS = ("formats", "result", "eager ms", "ms", "speed-up", "verified")
WORDS = {Status.PASSED: "ok", Status.FAILED: "FAILED", Status.SKIPPED: "skipped", Status.XFAILED: "xfail"}


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

    @property
    def missing(self) -> list[str]:
        """The mixes that have not run, or of which a test of the user's has not."""
        return [mix for mix in self.record.mixes if self.whole(mix) is None or self.verified(mix) == NOT_RUN]


def summary(results: PipelineResults) -> list[str]:
    """Return the lines: a row for each mix, what was chosen for each module and why, what ran eagerly."""
    rows = [row for mix in results.record.mixes if (row := _row(results, mix))]
    title = f"{results.record.name} (pipeline: {', '.join(results.record.modules)})"
    return [title, *(columns([HEADINGS, *rows]) if rows else []), *_chosen(results), *_notes(results)]


def _row(results: PipelineResults, mix: str) -> tuple[str, ...] | None:
    found = results.whole(mix)
    if found is None:
        return None
    facts = facts_of_whole(found)
    gain = f"{facts.eager_ms / facts.ms:.2f}x" if facts.eager_ms and facts.ms else "-"
    return mix, WORDS[found.status], _ms(facts.eager_ms), _ms(facts.ms), gain, results.verified(mix) or "-"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _chosen(results: PipelineResults) -> list[str]:
    found = results.whole(BEST)
    if found is None:
        return []
    facts = facts_of_whole(found)
    return [
        one_line(f"best: {name} {runs}{f' ({reason})' if (reason := facts.reasons.get(name)) else ''}")
        for name, runs in facts.modules.items()
    ]


def _notes(results: PipelineResults) -> list[str]:
    others = [
        f"note: {name} is called in {graph.others + 1} structures: the most frequent one has formats, the others run "
        "eagerly"
        for name, graph in results.graphs.items()
        if graph.others
    ]
    eagerly = {
        f"note: {name} ran eagerly in {told}"
        for each in results.outcomes
        if each.step == STEP
        for name, reasons in facts_of_whole(each).eagerly.items()
        for told in reasons
    }
    notes = {f"note: {note}" for graph in results.graphs.values() for note in graph.notes}
    return [one_line(line) for line in (*others, *sorted(eagerly), *sorted(notes))]
