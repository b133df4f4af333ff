"""Whole pipelines, as a page shows them (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_navigator.core.steps import Status
from pytest_navigator.reporting import pipelines
from pytest_navigator.reporting.html.cells import Cell, cells
from pytest_navigator.text import LINE, bounded

if TYPE_CHECKING:
    from pytest_navigator.reporting.pipelines import PipelineReport
    from pytest_navigator.reporting.run_report import RunReport


@dataclass(frozen=True)
class Whole:
    """The section of one pipeline.

    Attributes:
        failures: name of a test, and its message.
        rows: below `head`: each mix of formats; places: below `place_head`: what ran for each module in each.
    """

    anchor: str
    title: str
    failed: bool
    reasons: tuple[str, ...]
    failures: tuple[tuple[str, str], ...]
    rows: tuple[tuple[Cell, ...], ...]
    places: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]
    head: tuple[str, ...] = pipelines.HEADINGS
    place_head: tuple[str, ...] = pipelines.PLACES


def wholes(run: RunReport) -> tuple[Whole, ...]:
    """Return the sections of all pipelines, those that failed first."""
    found = sorted(run.pipelines, key=lambda each: not each.failed)
    return tuple(_whole(run, each, f"pipeline-{i}") for i, each in enumerate(found, 1))


def _whole(run: RunReport, pipeline: PipelineReport, anchor: str) -> Whole:
    package = (f"package: {run.shown(pipeline.package)}",) if pipeline.package else ()
    return Whole(
        anchor=anchor,
        title=pipeline.title,
        failed=pipeline.failed,
        reasons=pipeline.reasons,
        failures=tuple(_failures(pipeline)),
        rows=tuple(map(cells, pipelines.rows(pipeline))),
        places=tuple(row for mix in pipeline.mixes for row in pipelines.places(mix)),
        notes=(*pipeline.notes, *package),
    )


def _failures(pipeline: PipelineReport) -> list[tuple[str, str]]:
    wrong = (mix for mix in pipeline.mixes if mix.status is Status.FAILED)
    return [(pipelines.item_of(mix), bounded(mix.message, LINE)) for mix in wrong]
