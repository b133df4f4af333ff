"""From a suite's matrix to pytest's parameters, and what is done to each item of ours around its run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_navigator.configuration.settings import too_short
from pytest_navigator.core.steps import OF_MODEL, PLANNED, Per, Step
from pytest_navigator.errors import ConfigError, unknown
from pytest_navigator.planning.filtered import check_cells
from pytest_navigator.plugin._compat import class_setups, direct_names, fixtures_asked_for, import_no_packages
from pytest_navigator.plugin.collection import (
    PIPELINE_RUNNER,
    SUITE,
    WHOLE,
    SuiteNode,
    is_verify,
    is_whole,
    loader_override,
    named_of,
    place_of,
    plugin_models,
    reads_package,
    visible_models,
)
from pytest_navigator.plugin.item import suite_of
from pytest_navigator.plugin.option_values import suite_settings, unmeasured
from pytest_navigator.plugin.places import LOADER, MODEL, PIPELINE, PipelinePlace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_navigator.core.records import Outcome
    from pytest_navigator.core.steps import StepKind
    from pytest_navigator.engine.workspace import SuiteFolder
    from pytest_navigator.planning.matrix import Matrix
    from pytest_navigator.plugin.named import NamedModels
    from pytest_navigator.plugin.places import Place
    from pytest_navigator.plugin.run import CollectedSuite, Run

# What there is a step of -> the parameters of its test.
PARAMETERS = {
    Per.EXPORTED: ("nav_format",),
    Per.CONVERTED: ("nav_format",),
    **dict.fromkeys((Per.RUNNER, Per.DECODER, Per.SEARCH, Per.REDUCED), ("nav_format", "nav_runtime")),
    Per.BATCH: ("nav_format", "nav_runtime", "nav_batch"),
    Per.GATED: ("nav_format", "nav_runtime"),
    Per.LIMIT: ("nav_format", "nav_runtime", "nav_limit"),
}

# The generated tests that have any.
TESTS = {f"test_{kind.name}": kind for kind in PLANNED if kind.per in PARAMETERS}


NOT_BUILT = object()  # Stands for `nav_model` in an item that has not asked for it


def is_ours(item: pytest.Item) -> bool:
    """Whether an item is a generated test, or a test of the user's that asks for one of our fixtures."""
    if item.getparent(SuiteNode) is not None or is_whole(item):
        return True
    return isinstance(item, pytest.Function) and (
        is_verify(item.originalname, item.function) or (reads_package(item.function) and place_of(item) is not None)
    )


def is_empty(collector: pytest.Collector, name: str, run: Run) -> bool:
    """Whether a generated test has no parameters in this suite (no conversions, or no profiling)."""
    if not isinstance(collector, SuiteNode):
        return False
    if name == WHOLE:
        from pytest_navigator.plugin import pipelines

        return not pipelines.mixes_of(place_of(collector), run)
    if name not in TESTS:
        return False
    return not any(matrix.each(TESTS[name]) for matrix in run.matrices(place_of(collector)))


def parametrize(metafunc: pytest.Metafunc, run: Run) -> None:
    """Give a generated test, or a `verify_` test with `nav_runner`, its parameters."""
    node = metafunc.definition
    place = place_of(node) if {LOADER, PIPELINE_RUNNER}.intersection(metafunc.fixturenames) else None
    if isinstance(place, PipelinePlace):
        from pytest_navigator.plugin import pipelines

        pipelines.parametrize(metafunc, place, run)
    if node.getparent(SuiteNode) is not None and node.originalname in TESTS:
        kind = TESTS[node.originalname]
        cells = list(dict.fromkeys(cell for matrix in run.matrices(place_of(node)) for cell in _values(kind, matrix)))
        metafunc.parametrize(PARAMETERS[kind.per], cells, ids=["-".join(filter(None, c)) or OF_MODEL for c in cells])
    elif SUITE in metafunc.fixturenames and run.named:
        _parametrize_by_suite(metafunc, run, run.named)
    elif "nav_runner" in metafunc.fixturenames and place_of(node) is not None:
        own = _cells_of(place_of(node), run)
        metafunc.parametrize("nav_runner", own, indirect=True, ids=["-".join(c) for c in own])


def _values(kind: StepKind, matrix: Matrix) -> list[tuple[str, ...]]:
    """Return the values of a test's parameters, as ids write them."""
    cells = ((key, runner and matrix.runners[runner].runtime, batch) for key, runner, batch in matrix.each(kind))
    return [cell[: len(PARAMETERS[kind.per])] for cell in cells]


def _parametrize_by_suite(metafunc: pytest.Metafunc, run: Run, named: NamedModels) -> None:
    """Give a `verify_` test each of several named models, and each of its runners if it asks for them."""
    if "nav_runner" not in metafunc.fixturenames:
        metafunc.parametrize(SUITE, named.places, indirect=True, ids=named.ids())
        return
    suites = zip(named.ids(), named.places, strict=True)
    values = [(name, place, cell) for name, place in suites for cell in _cells_of(place, run)]
    metafunc.parametrize(
        (SUITE, "nav_runner"),
        [(place, cell) for _, place, cell in values],
        indirect=True,
        ids=["-".join((name, *cell)) for name, _, cell in values],
    )


def _cells_of(place: Place | None, run: Run) -> list[tuple[str, str]]:
    """Return format and runtime of what the models of a place run from a file."""
    return list(dict.fromkeys(c for m in run.matrices(place) for c in _runner_cells(m)))


def _runner_cells(matrix: Matrix) -> list[tuple[str, str]]:
    """Return key and runtime of what a `verify_` test can be of."""
    return [(key, matrix.runners[runner].runtime) for key, runner in matrix.verifiable]


def finish(run: Run, session: pytest.Session, items: list[pytest.Item]) -> None:
    """Meet every suite, drop the items that are another parameter's, record what was collected."""

    from pytest_navigator.plugin.verification import collected

    if run.problem:  # what could not be parametrized has no cells
        return
    ours = [item for item in items if isinstance(item, pytest.Function) and is_ours(item)]
    with run.noting_problems():
        _meet_pipelines(run, ours)
        wholes = [item for item in ours if is_whole(item)]
        parts = _without_strangers(run, [item for item in ours if not is_whole(item)], items)
        for item in parts:
            _expect_failure(item, suite_of(item, run).matrix)
        ours = [*wholes, *parts]
        for item in ours:
            _check_loader(item)
            _locate(item)
        _check_parameters(run)
        check_cells([(s.nodeid, s.settings, s.matrix) for s in run.suites.values()], run.registry)
        run.hints += _hints(run, {place_of(item) for item in ours if item.getparent(SuiteNode) is not None})
        run.hints += run.named.notes(run.config) if run.named else []
        run.hints += unmeasured(run.config)
        run.hints += _unjudged(run)
        run.hints += dict.fromkeys(filter(None, (too_short(suite.settings) for suite in run.suites.values())))
        if not ours and not session.testsfailed:  # pytest tells what could not be collected
            _tell_nothing_collected(run, items)
        if ours and not run.config.option.collectonly:
            from pytest_navigator.plugin.baselines import read_all, removed

            _check_packages(run)
            run.write_manifests(collected(parts, run), read_all(run))
            run.hints += removed(run)
            _record_pipelines(run, ours)


def _unjudged(run: Run) -> list[str]:
    """Return what budgets nothing is held to."""
    suites = [suite for suite in run.suites.values() if suite.settings.budgets]
    if not suites:
        return []
    from pytest_navigator.planning.budgets import unjudged

    return unjudged((suite.settings, suite.matrix) for suite in suites)


def _check_packages(run: Run) -> None:
    """Find a package path that cannot be before the run, not after an hour."""

    from pytest_navigator.core.remote import is_url
    from pytest_navigator.engine.manifest import target_of
    from pytest_navigator.reporting.packages import check_target
    from pytest_navigator.reporting.report_files import check_others

    suites = run.suites.values() if run.options.package else ()
    targets = list(dict.fromkeys(target_of(suite, run.options.package) for suite in suites))
    if is_url(run.options.package or ""):
        for target in targets:
            check_target(target, run.options.workspace)
        return
    for target in targets:
        check_target(str(run.start / target), run.options.workspace)
    check_others(run.options.reports, [run.start / target for target in targets])


def selected(run: Run, items: Iterable[pytest.Item]) -> dict[str, set[str]]:
    """Return the ids of the steps that generated tests report, by the node of their suite."""
    found: dict[str, set[str]] = {}
    for suite, step in reported(run, items):
        found.setdefault(suite.nodeid, set()).add(step.id)
    return found


def reported(run: Run, items: Iterable[pytest.Item]) -> Iterator[tuple[CollectedSuite, Step]]:
    """Yield the steps that generated tests report, in the order of the tests."""
    for item in items:
        if is_step(item) and isinstance(item, pytest.Function):
            suite = suite_of(item, run)
            yield suite, _step_of(item, suite.matrix)


def is_step(item: pytest.Item) -> bool:
    """Whether an item reports a step of one model."""
    return item.getparent(SuiteNode) is not None and not is_whole(item)


def _step_of(item: pytest.Function, matrix: Matrix) -> Step:
    """Return the step that a generated test reports."""
    key, runtime, batch, *_ = [*(_cell_of(item) if _is_cell(item) else ()), "", "", ""]
    runner = matrix.runner_of(key, runtime) if runtime else ""
    return Step(item.originalname.removeprefix("test_"), key, runner, batch)


def _locate(item: pytest.Function) -> None:
    """Let pytest name the user's file as the place of a generated test, not the class that all of them come from."""
    place = place_of(item)
    if place is not None and item.getparent(SuiteNode) is not None:
        item.location = (place.relative_path(item.config), place.line, item.location[2])


def _without_strangers(run: Run, ours: list[pytest.Function], items: list[pytest.Item]) -> list[pytest.Function]:
    """Drop the cells that another model of the same fixture has; pytest counts them as deselected."""
    strangers = {item: None for item in ours if not _belongs(item, suite_of(item, run))}
    if strangers:
        items[:] = [item for item in items if item not in strangers]
        run.config.hook.pytest_deselected(items=[*strangers])
    return [item for item in ours if item not in strangers]


def _hints(run: Run, collected: set[Place | None]) -> list[str]:
    """Name the models of which `verify_` tests only were collected, unless single tests were meant to be."""

    from pytest_navigator.plugin.last_failed import runs_last_failed

    if any("::" in argument for argument in run.config.args) or runs_last_failed(run.config):
        return []
    nodeids = {place.nodeid for place in collected if place is not None}
    missed = [suite.place for suite in run.suites.values() if suite.place.nodeid not in nodeids]
    defined = {place.nodeid.partition("::")[0]: PIPELINE if place.pipeline_name else MODEL for place in missed}
    return [
        f"note: {file} was not collected, only tests that use its {name}; add {file} to run all"
        for file, name in defined.items()
    ]


def _belongs(item: pytest.Function, suite: CollectedSuite) -> bool:
    """Whether the item's cell is one of its own model's (the models of one fixture may differ in configuration)."""
    if _is_cell(item):
        return _cell_of(item) in set(_values(TESTS[item.originalname], suite.matrix))
    cell = item.callspec.params.get("nav_runner") if hasattr(item, "callspec") else None
    return cell is None or cell in _runner_cells(suite.matrix)


def _is_cell(item: pytest.Function) -> bool:
    return item.getparent(SuiteNode) is not None and item.originalname in TESTS


def _cell_of(item: pytest.Function) -> tuple[str, ...]:
    return tuple(str(item.callspec.params[name]) for name in PARAMETERS[TESTS[item.originalname].per])


def _expect_failure(item: pytest.Function, matrix: Matrix) -> None:
    """Mark what `xfail` of nav_config names: a format means its export or conversion, a cell its correctness."""
    kind = TESTS[item.originalname] if _is_cell(item) else None
    name = (
        "-".join(_cell_of(item)) if kind and kind.per is not Per.DECODER and not kind.measures and not kind.gate else ""
    )
    if name in matrix.xfail:
        item.add_marker(pytest.mark.xfail(strict=True, reason=matrix.xfail[name]))


def _check_parameters(run: Run) -> None:
    """Find a configuration of a parameter that no model has, unless the arguments may have left that model out."""
    if any("::" in argument for argument in run.config.args):
        return
    ids: dict[str, dict[str, Place]] = {}
    for suite in run.suites.values():
        ids.setdefault(suite.place.nodeid, {})[suite.model_id] = suite.place
    for nodeid, known in ids.items():
        named = next(iter(known.values())).nav_config
        for name in named if isinstance(named, dict) else ():
            if name not in known:
                raise unknown(f"model in nav_config seen from {nodeid}", name, list(known))


def _check_loader(item: pytest.Function) -> None:
    place = place_of(item)
    named = named_of(item.config)
    if named:
        named.check_loader(item)
        return
    below = loader_override(item, place) if place else None
    if place and below:
        raise ConfigError(
            f"{below} overrides nav_dataloader below its nav_model ({place.nodeid}): one suite has one "
            "loader. Move it to where nav_model is, or give this place a nav_model of its own"
        )


def _tell_nothing_collected(run: Run, items: list[pytest.Item]) -> None:
    """Refuse a run that checks no model, unless who chose single tests of his own has left it out, and it may be."""

    from pytest_navigator.plugin.last_failed import runs_last_failed

    single = any("::" in argument for argument in run.config.args)
    if items and (single or runs_last_failed(run.config)) and not suite_settings(run.config, None).require:
        who = "the arguments name" if single else "--lf runs"
        run.hints.append(f"note: no model is checked: {who} other tests only")
    else:
        run.note(_nothing_collected(run))


def _nothing_collected(run: Run) -> str:
    flag = "--nav-package" if run.options.package is not None else "--nav"
    if run.named:
        files = ", ".join(str(spec.path) for spec in run.named.specs)
        return f"--nav-model: the arguments leave out {files}: nothing of it was collected"
    visible = visible_models(run.config)
    for path, kind in visible:
        return (
            f"{flag}: {path} defines {kind}, but was not collected; add it to the arguments: "
            f"pytest {flag}{'=' + run.options.package if run.options.package else ''} {path}"
        )
    if modules := plugin_models(run.config):
        return (
            f"{flag}: nav_model of the plugin {modules[0]} is not checked where it is; import it into a conftest.py: "
            f"from {modules[0]} import nav_model, nav_dataloader"
        )
    return (
        f"{flag}: no nav_model was found. Write in a conftest.py or a test module:\n\n"
        "    @pytest.fixture(scope='session')\n    def nav_model(): return MyModel().eval()\n\n"
        "    @pytest.fixture(scope='session')\n    def nav_dataloader(): return [one_batch, another_batch]"
    )


def prepare(item: pytest.Function) -> None:
    """Fill the fixtures that nothing but the model or the pipeline needs: pytest builds none of them for this item."""

    from pytest_navigator.plugin.benchmark import prepare as prepare_benchmark

    import_no_packages(item)
    generated = item.getparent(SuiteNode) is not None
    asked = fixtures_asked_for(item) - {MODEL, PIPELINE, LOADER}
    asked = asked - class_setups(item) if generated else asked | direct_names(item.function)
    for name in item.fixturenames:
        if name not in asked:
            item.funcargs[name] = NOT_BUILT
    if generated and "benchmark" in item.fixturenames:
        prepare_benchmark(item)


def annotate(item: pytest.Function, report: pytest.TestReport, outcome: Outcome | None, run: Run) -> None:
    """Point a generated test's report at the user's file; add figures to junit's properties, its log to an xfail."""

    from pytest_navigator.plugin.last_failed import tell_last_failed
    from pytest_navigator.reporting.junit import properties
    from pytest_navigator.text import short_path

    if outcome is not None:
        tell_last_failed(report, outcome, _folder_of(item, run))
    if item.getparent(SuiteNode) is None:
        path, line, _ = item.reportinfo()
        _point_skip_to(report, str(path), (line or 0) + 1)
        return
    place = place_of(item)
    if place is not None:
        report.location = (place.relative_path(item.config), place.line, report.location[2])
        _point_skip_to(report, str(place.source), place.line + 1)
    if outcome is not None and outcome.key and report.skipped and hasattr(report, "wasxfail"):
        folder = short_path(_folder_of(item, run).path, run.start)
        report.wasxfail += f" (log: {folder / outcome.key / 'format.log'})"
    if outcome is not None and report.when == "call":
        # junit reads them from the report of the teardown, which gets the item's; a retry replaces its own.
        item.user_properties[:] = [p for p in item.user_properties if not p[0].startswith("nav_")]
        item.user_properties += [*properties(outcome), *_machine(run)]
        report.user_properties = list(item.user_properties)
    crash = getattr(report.longrepr, "reprcrash", None)
    # The line of pytest's short summary: "Failed: " is the type of `pytest.fail`, and no part of what failed.
    if crash is not None and crash.message.startswith("Failed: "):
        crash.message = crash.message.removeprefix("Failed: ").splitlines()[0]


def _machine(run: Run) -> list[tuple[str, str]]:
    """Return the property that tells of which machine a figure is, in a run on several."""
    return [("nav_machine", run.apart)] if run.apart else []


def _meet_pipelines(run: Run, ours: Iterable[pytest.Function]) -> None:
    """Know the pipelines of the tests that were collected; most runs have none, and import nothing for them."""
    if any(isinstance(place_of(item), PipelinePlace) for item in ours):
        from pytest_navigator.plugin import pipelines

        pipelines.meet(run, ours)


def _record_pipelines(run: Run, ours: Iterable[pytest.Function]) -> None:
    if any(isinstance(place_of(item), PipelinePlace) for item in ours):
        from pytest_navigator.plugin import pipelines

        pipelines.write_records(run)


def _folder_of(item: pytest.Function, run: Run) -> SuiteFolder:
    if not is_whole(item):
        return suite_of(item, run).folder
    from pytest_navigator.plugin import pipelines

    return pipelines.pipeline_of(item, run).folder


def _point_skip_to(report: pytest.TestReport, path: str, line: int) -> None:
    """Let a skip of ours stand in the user's file; one that a `verify_` function calls itself stays where it is."""
    if isinstance(report.longrepr, tuple) and Path(report.longrepr[0]).is_relative_to(Path(__file__).parents[1]):
        report.longrepr = (path, line, report.longrepr[2])
