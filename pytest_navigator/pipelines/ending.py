"""The end of a run in which pipelines were checked: what is said of each, and the file with all its modules."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_navigator.core.pipeline_facts import BEST, EAGER, facts_of_whole
from pytest_navigator.core.plain import load
from pytest_navigator.core.steps import Status
from pytest_navigator.engine.workspace import SuiteFolder
from pytest_navigator.errors import PackageError
from pytest_navigator.package.container.writer import pack
from pytest_navigator.package.destination import Destination
from pytest_navigator.package.query.results import read_results
from pytest_navigator.package.zip.archive import partial_path
from pytest_navigator.pipelines.bundle import write_bundle
from pytest_navigator.pipelines.choosing import verdict_of
from pytest_navigator.pipelines.pipeline_record import MODULES, recorded_pipelines
from pytest_navigator.pipelines.pipeline_results import PipelineResults, report_of
from pytest_navigator.pipelines.recorded import GraphRecord
from pytest_navigator.reporting.packages import Written
from pytest_navigator.reporting.pipelines import summary
from pytest_navigator.text import short_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pytest_navigator.core.remote import Url
    from pytest_navigator.engine.host import Host
    from pytest_navigator.package.query.results import Results
    from pytest_navigator.pipelines.choice import Choice
    from pytest_navigator.pipelines.choosing import Verdict


def end_pipelines(host: Host, *, complete: bool) -> list[Written]:
    """Write the bundle of every pipeline of which anything has run, and return what to print.

    Args:
        complete: whether the session came to its end.
    """
    return [ended for folder, results in _results(host) if (ended := _ended(host, folder, results, complete))]


def _results(host: Host) -> Iterator[tuple[SuiteFolder, PipelineResults]]:
    for folder, record in recorded_pipelines(host.workspace):
        paths = {name: folder.path / MODULES / f"{name}.json" for name in record.modules}
        graphs = {name: load(path, GraphRecord) for name, path in paths.items() if path.exists()}
        for step in folder.unfinished():
            folder.write(folder.noted(step))
            folder.finish(step)
        yield folder, PipelineResults(record, folder.outcomes(), graphs)


def _ended(host: Host, folder: SuiteFolder, results: PipelineResults, complete: bool) -> Written | None:
    if not (results.outcomes or results.graphs):
        return None
    report = report_of(results)
    lines = summary(report)
    if not results.record.package:
        return Written(lines, fails=False, pipeline=report)
    try:
        path, whole = _packed(host, folder, results, complete)
    except PackageError as error:
        reason = f"no package was written: {error}"
        return Written([*lines, f"ERROR: {reason}"], fails=True, pipeline=replace(report, reasons=(reason,)))
    shown, count = short_path(path, host.start), len(results.graphs)
    partial = "" if whole else "partial: not all was checked, run all tests to complete it; "
    line = f"package: {shown} ({partial}{count} module{'s' if count != 1 else ''})"
    return Written([*lines, line], fails=False, pipeline=replace(report, package=path))


def _packed(host: Host, folder: SuiteFolder, results: PipelineResults, complete: bool) -> tuple[Path | Url, bool]:
    """Write all modules that were recorded into one file; returns where, and whether nothing is missing."""
    known = {name: read_results(_module(host, results, name).path) for name in results.graphs}
    whole = complete and not results.missing and not any(each.missing for each in known.values())
    packages: dict[Choice, Path] = {}
    for name, each in known.items():
        choice = _choice(results, name, each)
        packages[choice] = _package(host, _module(host, results, name), folder.path / f"{name}.nav", each)
    goal = Destination.of(results.record.package, host.start, folder.path)
    changing = {graph.fingerprint: graph.changing for graph in results.graphs.values()}
    target = goal.path if whole else partial_path(goal.path)
    return goal.delivered(write_bundle(target, list(packages), packages, changing=changing)), whole


def _module(host: Host, results: PipelineResults, name: str) -> SuiteFolder:
    return SuiteFolder(host.workspace.root / results.record.modules[name], host.workspace.root)


def _package(host: Host, module: SuiteFolder, target: Path, results: Results) -> Path:
    return pack(
        module.path,
        target,
        keep=results.setting("keep"),
        save_data=results.setting("save_data"),
        required=results.setting("require"),
        environment=host.machine,
        git=host.git,
    )


def _choice(results: PipelineResults, name: str, module: Results) -> Choice:
    """Return what is to run in the place of a module: nothing that the whole pipeline was not right with."""
    graph, verdict = results.graphs[name], verdict_of(module)
    figures: Mapping[str, Any] = {
        "eager_ms": verdict.eager_ms,
        "chosen_ms": verdict.chosen_ms,
        "caveat": verdict.caveat,
        "spread": verdict.spread,
    }
    back, best = _back(results, name), results.whole(BEST)
    if back or not verdict.format:
        slower = _is_slower(results, name, verdict) if back else verdict.slower
        return graph.choice(name, reason=back or verdict.reason, slower=slower, **figures)
    reason = facts_of_whole(best).reasons.get(name, verdict.reason) if best else verdict.reason
    return graph.choice(name, format=verdict.format, runner=verdict.runner, reason=reason, **figures)


def _is_slower(results: PipelineResults, name: str, verdict: Verdict) -> bool:
    """Whether a module of a pipeline stays as it is for speed alone: the whole is right with the others."""
    best = results.whole(BEST)
    if best is None or best.status is Status.FAILED or results.verified(BEST) == "no":
        return False
    return verdict.slower or name in facts_of_whole(best).slower


def _back(results: PipelineResults, name: str) -> str:
    """Return why a module stays as it is whatever its own package says, "" for nothing."""
    best = results.whole(BEST)
    if BEST not in results.record.mixes:
        return "nothing was measured"
    if best is None:
        return "the whole pipeline was not checked with it"
    if best.status is Status.FAILED:
        return f"the whole pipeline is not right with it: {best.message}"
    if results.verified(BEST) == "no":
        return "a test of the whole pipeline did not pass with it"
    facts = facts_of_whole(best)
    return facts.reasons.get(name, "not chosen") if facts.modules.get(name, EAGER) == EAGER else ""
