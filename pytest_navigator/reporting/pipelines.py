"""What became of a whole pipeline: the record that every report of it is made from, and its text (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_navigator.core.pipeline_facts import BEST
from pytest_navigator.core.steps import Status
from pytest_navigator.profiling.figures import caveats, milliseconds, times
from pytest_navigator.reporting.report import WORDS
from pytest_navigator.text import columns, one_line

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_navigator.core.remote import Url

HEADINGS = ("formats", "result", "eager ms", "ms", "speed-up", "verified")
PLACES = ("formats", "module", "runs", "why")


@dataclass(frozen=True)
class ModuleInPlace:
    """What ran in the place of one module of a pipeline.

    Attributes:
        name: of the module.
        runs: "onnx-cpu"; "eager" for the module itself.
        reason: why it stays as it is, or what the choice of its format rests on; "" for none.
        eagerly: the calls that ran the module itself although a format was there, each kind with its reason.
    """

    name: str
    runs: str
    reason: str = ""
    eagerly: tuple[str, ...] = ()


@dataclass(frozen=True)
class MixReport:
    """A whole pipeline with formats in the places of its modules.

    Attributes:
        formats: "onnx-cpu", which is in the place of each module of which it is right; "best" for the best of each.
        status: whether the pipeline gives with them what it gives as it is.
        message: why it does not, or why that was not checked, one line.
        eager_ms, ms: a call of the pipeline as it is, and with these formats, ms, the median of all samples; null where
            it was not measured.
        speed_up: the first by the second.
        verified: what tests of the user's say of it: "yes", "no", "not run"; "" without any.
        failed_tests: node ids of those that failed.
        modules: what ran in the place of each.
        caveat: what a reader of the figures must know; "" for nothing.
    """

    formats: str
    status: Status
    message: str = ""
    eager_ms: float | None = None
    ms: float | None = None
    speed_up: float | None = None
    verified: str = ""
    failed_tests: tuple[str, ...] = ()
    modules: tuple[ModuleInPlace, ...] = ()
    caveat: str = ""

    @property
    def failed(self) -> bool:
        """Whether it is not right."""
        return self.status is Status.FAILED or bool(self.failed_tests)


@dataclass(frozen=True)
class PipelineReport:
    """What became of one pipeline, beside the reports of its modules as models.

    Attributes:
        nodeid: of its place.
        modules: their names.
        mixes: those that ran.
        notes: what a reader must know beside, one line each.
        reasons: why the run must not exit with 0, beside what failed.
        package: the file with all its modules; None: none was written.
    """

    name: str
    nodeid: str
    modules: tuple[str, ...]
    mixes: tuple[MixReport, ...] = ()
    notes: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    package: Path | Url | None = None

    @property
    def failed(self) -> bool:
        """Whether something of it is not in order."""
        return bool(self.reasons) or any(mix.failed for mix in self.mixes)

    @property
    def title(self) -> str:
        """How what is said of it begins."""
        return f"{self.name} (pipeline: {', '.join(self.modules)})"


def item_of(mix: MixReport) -> str:
    """Return what the generated test of a mix is called."""
    return f"test_pipeline[{mix.formats}]"


def rows(pipeline: PipelineReport) -> list[tuple[str, ...]]:
    """Return what stands below `HEADINGS`: a row for each mix."""
    return [_row(mix) for mix in pipeline.mixes]


def places(mix: MixReport) -> list[tuple[str, ...]]:
    """Return what stands below `PLACES`: a row for each module."""
    return [
        (mix.formats, each.name, each.runs, "; ".join(filter(None, (each.reason, *each.eagerly))))
        for each in mix.modules
    ]


def notes(pipeline: PipelineReport) -> list[str]:
    """Return what there is to say beside the rows: what was chosen for each module and why, what ran eagerly."""
    best = next((mix.modules for mix in pipeline.mixes if mix.formats == BEST), ())
    chosen = (f"best: {each.name} {each.runs}{f' ({each.reason})' if each.reason else ''}" for each in best)
    told = (f"{m.name} ran eagerly in {said}" for mix in pipeline.mixes for m in mix.modules for said in m.eagerly)
    busy = caveats([f"{mix.formats}: {mix.caveat}" for mix in pipeline.mixes if mix.caveat])
    return [*chosen, *(f"note: {line}" for line in (*busy, *pipeline.notes, *sorted(set(told))))]


def summary(pipeline: PipelineReport) -> list[str]:
    """Return the lines of the terminal: a row for each mix, and the notes."""
    table = columns([HEADINGS, *rows(pipeline)]) if pipeline.mixes else []
    return [pipeline.title, *table, *map(one_line, notes(pipeline))]


def _row(mix: MixReport) -> tuple[str, ...]:
    gain = times(mix.eager_ms, mix.ms) if mix.eager_ms and mix.ms else "-"
    figures = (_ms(ms, mix.caveat) for ms in (mix.eager_ms, mix.ms))
    result = Status.FAILED if mix.failed else mix.status  # where there are tests of the user's, they are what judges
    return mix.formats, WORDS[result], *figures, gain, mix.verified or "-"


def _ms(value: float | None, caveat: str) -> str:
    return "-" if value is None else milliseconds(value, 0, marked=bool(caveat))
