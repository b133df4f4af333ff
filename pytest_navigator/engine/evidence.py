"""What a failed comparison leaves: inputs and outputs of the worst comparisons, for Polygraphy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.engine import isolated
from pytest_navigator.engine.active import live_runner, subject
from pytest_navigator.errors import NavigatorError
from pytest_navigator.samples.polygraphy_json import INPUTS, OUTPUTS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_navigator.core.records import Case, OutputReport
    from pytest_navigator.engine.context import Context

# Inputs and outputs of the source that are kept; as text they take a third more, and the runner has its own.
LARGEST_BYTES = 64 * 2**20


def keep(context: Context, reports: Sequence[OutputReport], cases: Sequence[Case]) -> str:
    """Run the worst comparisons once more and write what goes in and comes out.

    Returns:
        One line: the names of the files and how many comparisons they have, or why they could not be written. The step
        has failed for another reason, which this must not hide.
    """
    chosen = _chosen(context, reports, cases)
    stem = _stem(context)
    try:
        _dump(context, chosen, stem)
    except (NavigatorError, OSError) as error:
        return f"inputs and outputs could not be kept: {error}"
    return f"inputs and outputs of {len(chosen)} of {len(cases)} comparisons: {stem}{INPUTS}, {stem}{OUTPUTS}"


def forget(context: Context) -> None:
    """Remove what an earlier attempt of this step has left."""
    for path in evidence_files(context, context.folder.path):
        path.unlink()


def evidence_files(context: Context, root: Path) -> list[Path]:
    """Return what the step has left below a folder: none, one or both of its files."""
    return [path for name in evidence_names(context) if (path := root / name).exists()]


def evidence_names(context: Context) -> list[str]:
    """Return what they are called."""
    return [f"{_stem(context)}{ending}" for ending in (INPUTS, OUTPUTS)]


def _stem(context: Context) -> str:
    """Return what the names of the files start with: the step's runner as ids of items write it, `onnx-cpu`."""
    return context.suite.matrix.cell_id(context.variant.key, context.runner.name)


def _chosen(context: Context, reports: Sequence[OutputReport], cases: Sequence[Case]) -> list[Case]:
    """Return the comparisons that failed worst, then the others in their order, as many as there is room for."""
    worst = {(report.sample, report.case) for report in reports if report.problem}
    ordered = sorted(cases, key=lambda case: (case.sample, case.kind) not in worst)
    kept: list[Case] = []
    total = 0
    for case in ordered:
        total += sum((context.folder.path / name).stat().st_size for name in (case.input, case.output))
        if kept and total > LARGEST_BYTES:
            break
        kept.append(case)
    return kept


def _dump(context: Context, cases: Sequence[Case], stem: str) -> None:
    if not context.runner.live:
        context.isolated(isolated.dump, **subject(context), cases=cases, stem=stem)
        return
    from pytest_navigator.engine.checks import dump

    with live_runner(context) as runner:
        dump(runner, context.folder.path, cases, stem)
