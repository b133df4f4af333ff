"""What GitHub Actions shows of a run: the summary of the job's step, and annotations in the code (pure)."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from pytest_navigator.core.privacy import scrubber
from pytest_navigator.reporting import pipelines
from pytest_navigator.reporting.budgets import budget_rows, unjudged
from pytest_navigator.reporting.causes import causes
from pytest_navigator.reporting.disturbances import disputes
from pytest_navigator.reporting.regressions import regressions
from pytest_navigator.reporting.report import HEADINGS, matrix, notes, title
from pytest_navigator.text import LINE, bounded, printable, writable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pytest_navigator.reporting.causes import Cause
    from pytest_navigator.reporting.pipelines import PipelineReport
    from pytest_navigator.reporting.run_report import ModelReport, Place, RunReport

# GitHub drops a whole summary above 1 MiB, and cutting at exactly that has failed for others.
LARGEST_SUMMARY = 900_000  # B
DETAIL = 4 * LINE  # Characters of a failure's details

# GitHub shows the first ten annotations of a step, and drops the others without a word.
MOST_ANNOTATIONS = 10
LONGEST_ANNOTATION = 4 * 1024  # Characters of one

CUT = "\n*Cut here, for GitHub shows no summary above 1 MiB: {} left out. `--nav-report=out.html` has everything.*\n"
CLOSING = 2 * len(CUT)  # B that are left for it

# Whatever Markdown, GitHub's own additions (@name, #1, :emoji:, $math$, addresses) or HTML would make something of.
SPECIAL = re.compile(r"[^\w\s.,;/=()%'\"+?°-]|_|(?<=www)\.")
COMMAND = {"%": "%25", "\r": "%0D", "\n": "%0A"}
PROPERTY = {**COMMAND, ":": "%3A", ",": "%2C"}


def summary(run: RunReport, room: int = LARGEST_SUMMARY) -> str:
    """Return the Markdown of a run, failures first, of at most `room` B."""
    scrub, blocks, text = scrubber(), _blocks(run), ""
    for position, block in enumerate(blocks):
        part = writable(scrub(block()))
        room -= len(part.encode())
        if room < CLOSING:
            more = len(blocks) - position
            return text + CUT.format("1 part" if more == 1 else f"{more} parts")
        text += part
    return text


def workflow_commands(found: Sequence[Cause], root: Path, workspace: Path | None) -> list[str]:
    """Return workflow commands, a line each: one for each cause, as many as GitHub shows.

    Args:
        root: what the causes' files are relative to.
        workspace: what GitHub's are relative to; None: annotations have no place.
    """
    shown = found[:MOST_ANNOTATIONS]
    more = len(found) - len(shown)
    last = f"\n\nand {more} more cause{'' if more == 1 else 's'}: see the summary or the log" if more else ""
    return [
        _command(cause, _relative(cause.place, root, workspace), last if cause is shown[-1] else "") for cause in shown
    ]


def _command(cause: Cause, place: Place | None, last: str) -> str:
    name = " ".join(filter(None, (cause.model, cause.test)))
    also = f" (and {cause.more} more)" if cause.more else ""
    properties = {"file": place.file, "line": str(place.line)} if place else {}
    properties["title"] = f"{name}{also}"
    said = ",".join(f"{key}={_escaped(printable(value), PROPERTY)}" for key, value in properties.items())
    message = bounded(printable(scrubber()(cause.message)), LONGEST_ANNOTATION)
    return writable(f"::error {said}::{_escaped(message + last, COMMAND)}")


def _escaped(text: str, signs: dict[str, str]) -> str:
    return "".join(signs.get(sign, sign) for sign in text)


def _relative(place: Place | None, root: Path, workspace: Path | None) -> Place | None:
    if place is None or workspace is None:
        return None
    path = (root / place.file).resolve()
    inside = path.is_relative_to(workspace.resolve())
    return place._replace(file=path.relative_to(workspace.resolve()).as_posix()) if inside else None


def _blocks(run: RunReport) -> list[Callable[[], str]]:
    """Return what makes each part of the summary, the most important first; a part stays whole."""
    found = causes(run)
    models = sorted(run.models, key=lambda model: not model.failed)
    verdict = f"## {_verdict(run, found)}\n\n"
    parts = [*(partial(_failure, cause) for cause in found), *(partial(_pipeline, each) for each in run.pipelines)]
    return [lambda: verdict, *parts, *(partial(_model, model) for model in models)]


def _verdict(run: RunReport, found: Sequence[Cause]) -> str:
    if not run.failed:
        return f"✅ Model checks passed: {run.counted}"
    if not run.broken:
        return f"❌ The run failed for something else than its {run.counted}"
    return f"❌ Model checks failed: {run.broken}, {len(found)} cause{'' if len(found) == 1 else 's'}"


def _failure(cause: Cause) -> str:
    name = " · ".join(_text(part) for part in (cause.model, cause.test) if part)
    also = f" (and {cause.more} more)" if cause.more else ""
    place = f" <sub>{_text(f'{cause.place.file}:{cause.place.line}')}</sub>" if cause.place else ""
    detail = f"<details><summary>details</summary>\n\n{_fenced(cause.detail)}\n</details>\n\n" if cause.detail else ""
    return f"**{name}**{also}{place}\n\n> {_text(bounded(cause.message, LINE))}\n\n{detail}"


def _model(model: ModelReport) -> str:
    results = model.shown
    limits = [" ".join(("budget", *row)) for row in budget_rows(results)]
    lines = [*disputes(results), *regressions(results), *limits, *unjudged(results), *notes(results), *model.said]
    return _section(title(results), model.failed, _table(HEADINGS, matrix(results)), lines)


def _pipeline(pipeline: PipelineReport) -> str:
    table = _table(pipelines.HEADINGS, pipelines.rows(pipeline))
    return _section(pipeline.title, pipeline.failed, table, pipelines.notes(pipeline))


def _section(name: str, failed: bool, table: str, lines: Sequence[str]) -> str:
    said = "".join(f"- {_text(line)}\n" for line in lines)
    return f"### {'❌' if failed else '✅'} {_text(name)}\n\n{table}{said}\n"


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    head, *body = ("| " + " | ".join(map(_text, row)) + " |\n" for row in (headings, *rows))
    return "".join([head, "| " + " | ".join("---" for _ in headings) + " |\n", *body, "\n"])


def _text(text: str) -> str:
    """Return a text that is itself in Markdown and in HTML, on one line."""
    shown = " ".join(printable(bounded(text, LINE)).split())
    return SPECIAL.sub(lambda sign: f"&#{ord(sign[0])};", shown)


def _fenced(text: str) -> str:
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{printable(bounded(text, DETAIL))}\n{fence}\n"
