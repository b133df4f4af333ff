"""What a report shows -> plain texts, in the order of the page; `page.html` only writes them down (pure)."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_navigator._version import __version__
from pytest_navigator.core.steps import Status
from pytest_navigator.package.query.disputed import disputed
from pytest_navigator.reporting.budgets import HEADINGS as BUDGETS
from pytest_navigator.reporting.budgets import budget_rows, unjudged
from pytest_navigator.reporting.causes import causes
from pytest_navigator.reporting.disturbances import DISTURBED, disputes
from pytest_navigator.reporting.html.cells import Cell, cells
from pytest_navigator.reporting.html.changes import Changes, changes
from pytest_navigator.reporting.html.difference import differences
from pytest_navigator.reporting.html.failures import Failure, failures
from pytest_navigator.reporting.html.latency import latencies
from pytest_navigator.reporting.html.scaling import throughputs
from pytest_navigator.reporting.html.wholes import Whole, wholes
from pytest_navigator.reporting.report import HEADINGS, cell_ids, matrix, notes, title
from pytest_navigator.reporting.summary_figures import STRATEGIES, searches, strategy_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_navigator.package.query.results import Results
    from pytest_navigator.reporting.html.plot import Plot
    from pytest_navigator.reporting.run_report import ModelReport, RunReport

LONG = 80_000  # Characters of logs and details on a page, all together
LIBRARIES = ("torch", "tensorflow", "jax", "onnx", "onnxruntime", "tensorrt", "openvino", "numpy", "pytest")

PLOTS = (latencies, throughputs, differences)


@dataclass(frozen=True)
class Model:
    """The section of one model."""

    anchor: str
    title: str
    failed: bool
    verdict: str
    best: str
    reasons: tuple[str, ...]
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    changes: Changes | None
    budgets: tuple[tuple[Cell, ...], ...]
    strategies: tuple[tuple[str, ...], ...]
    failures: tuple[Failure, ...]
    plots: tuple[Plot, ...]
    notes: tuple[str, ...]
    skipped: tuple[tuple[str, str], ...]
    strategy_head: tuple[str, ...] = STRATEGIES
    budget_head: tuple[str, ...] = BUDGETS


@dataclass(frozen=True)
class Page:
    """The whole of it."""

    failed: bool
    verdict: str
    facts: tuple[tuple[str, str], ...]
    models: tuple[Model, ...]
    others: tuple[tuple[str, str], ...]
    pipelines: tuple[Whole, ...] = ()
    version: str = __version__


def page(run: RunReport) -> Page:
    """Return what the page says; models that failed come first."""
    count = sum(len(model.failures) for model in run.models)
    room = LONG // max(1, count)
    models = sorted(run.models, key=lambda model: not model.failed)
    return Page(
        run.failed,
        _verdict(run),
        tuple(_facts(run)),
        tuple(_model(run, model, f"model-{i}", room) for i, model in enumerate(models, 1)),
        tuple((other.nodeid, other.message) for other in run.others),
        wholes(run),
    )


def _verdict(run: RunReport) -> str:
    if run.broken:
        found = len(causes(run))
        return f"{run.broken} failed, for {found} cause{'' if found == 1 else 's'}"
    if not run.models and not run.pipelines:
        return "no model was checked"
    return f"{run.counted} in order" + (", but the run failed for something else" if run.failed else "")


def _facts(run: RunReport) -> list[tuple[str, str]]:
    """Return what the run was made with, by name."""
    environment, git = run.environment, run.git or {}
    packages: Mapping[str, Any] = environment.get("python_packages") or {}
    devices = [(environment.get(kind) or {}).get("name") for kind in ("cpu", "gpu")]
    said = {
        "ended": run.ended.replace("T", " ").replace("+00:00", " UTC"),
        "commit": f"{str(git.get('commit', ''))[:12]}{', with changes' if git.get('dirty') else ''}",
        "branch": str(git.get("branch") or ""),
        "machine": ", ".join(str(device) for device in devices if device),
        "Python": str(environment.get("python_version") or ""),
        "libraries": ", ".join(f"{name} {packages[name]}" for name in LIBRARIES if packages.get(name)),
        "exit code": "" if run.exit_code is None else str(run.exit_code),
    }
    return [(name, text) for name, text in said.items() if text]


def _model(run: RunReport, model: ModelReport, anchor: str, room: int) -> Model:
    results = model.shown
    winners = strategy_rows(results)
    return Model(
        anchor=anchor,
        title=title(results),
        failed=model.failed,
        verdict=_verdict_of(model),
        best=_best(results, winners),
        reasons=model.reasons,
        head=HEADINGS,
        rows=tuple(map(cells, matrix(results))),
        changes=changes(results),
        budgets=tuple(map(cells, budget_rows(results))),
        strategies=tuple(winners),
        failures=tuple(failures(model, room, _reproduced(run, model))),
        plots=tuple(plot for make in PLOTS if (plot := make(results))),
        notes=_notes(run, model),
        skipped=tuple(_skipped(results)),
    )


def _best(results: Results, winners: Sequence[Sequence[str]]) -> str:
    """Return what the last strategy chooses, the least latency."""
    if not winners:
        return "-"
    name, latency, _, runner, model, *_ = winners[-1]
    return f"{latency} ms ({runner}, {model}{f'; {DISTURBED}' if name in disputed(results) else ''})"


def _notes(run: RunReport, model: ModelReport) -> tuple[str, ...]:
    own = model.shown
    return (*disputes(own), *searches(own), *unjudged(own), *notes(own), *model.said, *_package(run, model))


def _verdict_of(model: ModelReport) -> str:
    count = len(model.failures)
    if count:
        return f"{count} step{'' if count == 1 else 's'} failed"
    return "not in order" if model.reasons else "in order"


def _skipped(results: Results) -> list[tuple[str, str]]:
    """Return each step that was skipped, with the reason."""
    found = [o for o in results.outcomes if o.status is Status.SKIPPED]
    cells = cell_ids(results, [(o.key, o.runner) for o in found])
    names = (" ".join(filter(None, (o.step, cell, o.batch))) for o, cell in zip(found, cells, strict=True))
    return [(name, o.requirement or o.message) for name, o in zip(names, found, strict=True)]


def _package(run: RunReport, model: ModelReport) -> list[str]:
    return [f"package: {run.shown(model.package)}"] if model.package else []


def _reproduced(run: RunReport, model: ModelReport) -> Sequence[str]:
    """Return the words of a command before the name of a script."""
    if model.folder:
        return ["cd", shlex.quote(run.shown(model.folder)), "&&", "bash"]
    name = shlex.quote(model.package.name) if model.package else "out.nav"
    return ["pytest-navigator", "extract", name, "-o", "extracted", "&&", "cd", "extracted", "&&", "bash"]
