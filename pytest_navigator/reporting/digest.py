"""What the end of a run says of many models at once: what failed, how many, where it all is (pure)."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from pytest_navigator.core.records import earlier_text
from pytest_navigator.core.steps import Status
from pytest_navigator.package.query.disputed import disputed
from pytest_navigator.package.query.strategies import MinLatencyStrategy, best
from pytest_navigator.planning.groups import left_out
from pytest_navigator.planning.here import elsewhere, steps
from pytest_navigator.reporting.causes import every_cause
from pytest_navigator.reporting.report import WORDS, skips, unchecked_lines
from pytest_navigator.reporting.run_report import RunReport
from pytest_navigator.text import bounded, columns, one_line, short_path

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from pathlib import Path

    from pytest_navigator.core.records import Outcome
    from pytest_navigator.core.remote import Url
    from pytest_navigator.package.query.results import Results
    from pytest_navigator.reporting.causes import Cause
    from pytest_navigator.reporting.packages import Written
    from pytest_navigator.reporting.run_report import ModelReport

MANY = 10  # Models that have a table each; more have one together
NAMED = 3  # Models, and tests, that a line names
REASON = 400  # Characters of one
NOT_RUN = "not run"
STATES = (*WORDS.values(), NOT_RUN)

NUMBER = re.compile(r"-?\d+(?:[.,]\d+)*(?:e[+-]?\d+)?")


def digest(models: Sequence[Written], collected: int, start: Path) -> list[str]:
    """Return one summary of many models: failures first, then counts.

    Args:
        collected: how many models there are, with those of which nothing ran.
        start: the folder that paths are shown from.
    """
    reports = [each.report for each in models if each.report]
    lines = [
        *_failures(reports),
        _counts(reports, collected),
        *_table([report.shown for report in reports]),
        *_notes(reports),
        *_alike((report.results.suite.name, line) for report, each in _with(models) for line in each.notes),
        *_places(reports, start),
        f"-v shows the table of each model{_command(reports, start)}",
    ]
    return list(map(one_line, lines))


def _with(models: Iterable[Written]) -> Iterator[tuple[ModelReport, Written]]:
    return ((each.report, each) for each in models if each.report)


def _failures(reports: Sequence[ModelReport]) -> list[str]:
    """Return a line for each reason, the one of most models first; those that differ in numbers only are one."""
    found: dict[tuple[str, str], list[Cause]] = {}
    for cause in every_cause(RunReport(tuple(reports))):
        found.setdefault((cause.test.partition("[")[0], _blank(cause.message, cause.model)), []).append(cause)
    groups = sorted(found.values(), key=lambda alike: -len({cause.model for cause in alike}))
    return [f"{WORDS[Status.FAILED]}: {_failure(alike)}" for alike in groups]


def _failure(alike: Sequence[Cause]) -> str:
    models, tests = ([*dict.fromkeys(values)] for values in zip(*((c.model, c.test) for c in alike), strict=True))
    said = (_some(models, "models"), _some([*filter(None, tests)], "tests"), bounded(alike[0].message, REASON))
    return ": ".join(filter(None, said))


def _some(names: Sequence[str], what: str) -> str:
    """Return the first names, and how many more there are."""
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more {what}" if more > 0 else "")


def _blank(text: str, model: str) -> str:
    """Return what is equal of texts that are alike: no numbers, and not the name of the model."""
    return NUMBER.sub("0", text.replace(model, "") if model else text)


def _counts(reports: Sequence[ModelReport], collected: int) -> str:
    models = Counter(_verdict(report) for report in reports)
    outcomes = Counter(WORDS[o.status] for report in reports for o in report.shown.outcomes)
    of = f"{len(reports)} of {collected}" if len(reports) < collected else f"{len(reports)}"
    return f"{of} models: {_counted(models)}; {steps(outcomes.total())}: {_counted(outcomes)}"


def _verdict(report: ModelReport) -> str:
    if report.failed:
        return WORDS[Status.FAILED]
    source = report.results.source
    return WORDS[source.status] if source else NOT_RUN


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])


def _table(models: Sequence[Results]) -> list[str]:
    """Return a row for each format and runner: in how many models it is what."""
    cells: dict[tuple[str, str], Counter[str]] = {}
    for results in models:
        for cell in results.cells():
            state = _state(results, *cell)
            cells.setdefault(cell, Counter()).update([state] if state else [])
    shown = [state for state in STATES if any(counts[state] for counts in cells.values())]
    rows = [(*cell, *(str(counts[state] or "-") for state in shown)) for cell, counts in cells.items() if counts]
    if not rows:
        return []
    return columns([("format", "runner", *shown), *rows]) + _winners(models)


def _winners(models: Sequence[Results]) -> list[str]:
    """Return of how many models each cell has the least latency; nothing where nothing was measured."""
    fastest = Counter(cell for results in models for cell in _fastest(results))
    counted = (f"{key} on {runner} of {count}" for (key, runner), count in fastest.most_common())
    disturbed = sum(MinLatencyStrategy.__name__ in disputed(results) for results in models)
    open_ = f"; disturbed: in {disturbed} of them another one may be" if disturbed else ""
    return [f"fastest: {', '.join(counted)}{open_}"] if fastest else []


def _state(results: Results, key: str, runner: str) -> str:
    """Return what a cell of one model is, in a word; "" of one that this machine cannot run."""
    checked, made = results.correctness(key, runner), results.made(key)
    found = [o for o in results.outcomes if o.key == key and o.runner in ("", runner)]
    worst = next((s for s in (Status.FAILED, Status.XFAILED) if any(o.status is s for o in found)), None)
    if worst or checked is None:
        return WORDS[worst] if worst else "" if _cannot(made) else NOT_RUN
    return "" if _cannot(checked) else WORDS[checked.status]


def _cannot(outcome: Outcome | None) -> bool:
    return outcome is not None and outcome.status is Status.SKIPPED and bool(outcome.requirement)


def _fastest(results: Results) -> list[tuple[str, str]]:
    name = MinLatencyStrategy.__name__
    return [(figure.key, figure.runner) for strategy, figure in best(results).winners if strategy == name]


def _notes(reports: Sequence[ModelReport]) -> list[str]:
    """Return what is the same in the summaries of single models, counted over all of them."""
    every = [report.results for report in reports]
    outcomes = [outcome for results in every for outcome in results.outcomes]
    days = Counter(day for outcome in outcomes if (day := earlier_text(*outcome.earlier)))
    return [
        *_alike((results.suite.name, line) for results in every for line in unchecked_lines(results)),
        *_caveats(reports),
        *(f"{day}: {steps(count)}" for day, count in sorted(days.items())),
        *skips(outcomes),
        *elsewhere(sum((Counter(results.suite.elsewhere) for results in every), Counter())),
        *dict.fromkeys(line for results in every for line in left_out(results.suite.lacking)),
    ]


def _caveats(reports: Sequence[ModelReport]) -> list[str]:
    """Return how many figures have something to know about them, with one of them."""
    found = [(r.results.suite.name, o) for r in reports for o in r.results.outcomes if _noted(o)]
    if not found:
        return []
    (name, first), models = found[0], len({name for name, _ in found})
    counted = f"{len(found)} profile figures of {models} models" if len(found) > 1 else "1 profile figure"
    return [f"note: {counted} with a caveat, for example {name}: {first.id}: {first.message}"]


def _noted(outcome: Outcome) -> bool:
    return outcome.step == "profile" and outcome.passed and outcome.message not in ("", earlier_text(*outcome.earlier))


def _alike(lines: Iterable[tuple[str, str]]) -> list[str]:
    """Return the lines of models, those that differ in numbers and the model's name only as one."""
    found: dict[str, list[tuple[str, str]]] = {}
    for name, line in lines:
        found.setdefault(_blank(line, name), []).append((name, line))
    return [alike[0][1] + _of_models({name for name, _ in alike}) for alike in found.values()]


def _of_models(names: Collection[str]) -> str:
    return f" ({len(names)} models)" if len(names) > 1 else ""


def _places(reports: Sequence[ModelReport], start: Path) -> list[str]:
    """Return a line for each folder with packages, or with results of which there is none."""
    packages = [report.package for report in reports if report.package]
    left = [report.folder for report in reports if report.folder and not report.package]
    return [
        *(f"packages: {_in_folder(folder, packages, start)}" for folder in dict.fromkeys(p.parent for p in packages)),
        *(f"results: {_in_folder(folder, left, start)}" for folder in dict.fromkeys(p.parent for p in left)),
    ]


def _in_folder(folder: Path | Url, paths: Sequence[Path | Url], start: Path) -> str:
    own = [path for path in paths if path.parent == folder]
    partial = sum(path.name.endswith(".partial.nav") for path in own)
    return f"{len(own)} in {short_path(folder, start)}" + (f" ({partial} partial)" if partial else "")


def _command(reports: Sequence[ModelReport], start: Path) -> str:
    package = next((r.package for r in reports if r.package and r.failed), None)
    package = package or next((report.package for report in reports if report.package), None)
    return f", pytest-navigator show {short_path(package, start)} that of one" if package else ""
