"""What the summaries of a pipeline's modules have in common, told once, with the pipeline (pure)."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_navigator.planning.groups import LEFT_OUT
from pytest_navigator.planning.here import elsewhere

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_navigator.reporting.packages import Written
    from pytest_navigator.reporting.pipelines import PipelineReport

COMMON = ("not here: ", LEFT_OUT, "hint: ", "results: ")
"""How lines begin that are of the machine and of the run, and not of one module."""

NOTHING = "nothing of its formats ran"


def told_once(models: Sequence[Written], wholes: Sequence[Written], workspace: str) -> list[Written]:
    """Return the ends of models and of pipelines, with what is common to a pipeline's modules at the pipeline.

    Args:
        workspace: where all their results are, as people read it.
    """
    found, ends = list(models), []
    for whole in wholes:
        own = [at for at, each in enumerate(found) if whole.pipeline and _is_part(each, whole.pipeline)]
        ends.append(replace(whole, lines=[*whole.lines, *_common([found[at] for at in own], workspace)]))
        for at in own:
            found[at] = replace(found[at], lines=_own_lines(found[at].lines))
    return [*found, *ends]


def _is_part(model: Written, whole: PipelineReport) -> bool:
    return model.report is not None and model.report.results.suite.nodeid.startswith(f"{whole.nodeid}[")


def _common(parts: Sequence[Written], workspace: str) -> list[str]:
    lines = [line for part in parts for line in part.lines]
    counts = (Counter(part.report.results.suite.elsewhere) for part in parts if part.report)
    hints = dict.fromkeys(line for line in lines if line.startswith("hint: "))
    kept = [f"results: {workspace}"] if any(line.startswith("results: ") for line in lines) else []
    left_out = dict.fromkeys(line for line in lines if line.startswith(LEFT_OUT))
    return [*elsewhere(sum(counts, Counter())), *left_out, *hints, *kept]


def _own_lines(lines: Sequence[str]) -> list[str]:
    own = [line for line in lines if not line.startswith(COMMON)]
    return own if len(own) > 1 else [f"{line}: {NOTHING}" for line in own]
