"""The hooks of a run that checks models, in the order in which pytest calls them; each asks the module that knows."""

from __future__ import annotations

import re
from collections import Counter
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from pytest_navigator._version import __version__
from pytest_navigator.configuration.settings import config_lines
from pytest_navigator.errors import ConfigError, PackageError
from pytest_navigator.formats.registry import using
from pytest_navigator.plugin import collection, generation
from pytest_navigator.plugin._compat import allow_crashes, item_of, worker_pid
from pytest_navigator.plugin.item import OUTCOME
from pytest_navigator.plugin.option_values import run_options
from pytest_navigator.plugin.places import LOADER, MODEL, PIPELINE
from pytest_navigator.plugin.run import LACKING, RUN, Run
from pytest_navigator.text import LINE, bounded, printable, short_path

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from pytest_navigator.plugin.hosts import Hosts
    from pytest_navigator.plugin.reports import Reports
    from pytest_navigator.reporting import packages as packing

WORKSPACE = "nav_workspace"
PROBLEM = "nav_problem"
HINTS = "nav_hints"

# What the plugin is called: by its entry point, and by `-p` where entry points are not loaded.
PYTEST_BENCHMARK = ("benchmark", "pytest_benchmark.plugin")

# How a session ends that may not have run what was selected.
STOPPED = (pytest.ExitCode.INTERRUPTED, pytest.ExitCode.INTERNAL_ERROR)


def start(config: pytest.Config) -> None:
    """Begin the run in this process: the controller claims the workspace, its workers are told where it is."""

    from pytest_navigator.plugin import verification

    try:
        options = run_options(config)
        if options.redact:
            from pytest_navigator.core.privacy import redact

            before = redact(options.redact)
            config.add_cleanup(lambda: [redact(before)].clear())
        run = Run.begun(config, options)
        knowing = ExitStack()
        knowing.enter_context(using(run.registry))
        config.add_cleanup(knowing.close)
        if not hasattr(config, "workerinput"):
            config.pluginmanager.register(Controller(config, run), "navigator-controller")
            if not config.option.collectonly:
                from pytest_navigator.plugin.last_failed import LastFailed

                config.pluginmanager.register(LastFailed(), "navigator-lastfailed")
        else:
            from pytest_navigator.plugin.joining import join

            join(run, config.workerinput)
        if run.named:
            run.named.start(config)
    except (ConfigError, PackageError) as error:
        if hasattr(config, "workerinput"):  # xdist would start the worker again and again
            config.pluginmanager.register(Refused(bounded(str(error), LINE)), "navigator-refused")
            return
        raise pytest.UsageError(bounded(str(error), LINE)) from None
    config.stash[RUN] = config.stash[collection.NOTES] = run
    config.pluginmanager.register(Session(run), "navigator-session")
    config.pluginmanager.register(verification.Fixtures(), "navigator-fixtures")
    if config.getoption("nav_timeline") and not (config.option.collectonly or run.problem):
        from pytest_navigator.plugin import timeline

        timeline.begin(config, run)
    if not any(map(config.pluginmanager.hasplugin, PYTEST_BENCHMARK)):
        from pytest_navigator.plugin.benchmark import NullBenchmark

        config.pluginmanager.register(NullBenchmark(), "navigator-benchmark")


class Refused:
    """A worker of xdist that cannot take part: its reason is the run's usage error."""

    def __init__(self, reason: str) -> None:
        self.reason = reason

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Run nothing, and say why."""
        config.workeroutput[PROBLEM] = self.reason  # type: ignore[attr-defined]
        items.clear()


class Session:
    """What every process does: collect, run, report."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.known = run.config.pluginmanager.get_plugins()
        run.termination.listen()

    def pytest_plugin_registered(self, plugin: object) -> None:
        """Refuse formats that come while tests are collected: suites before them would not have them."""
        late = [name for name in collection.EXTENDING if hasattr(plugin, name)]
        # Those that were there when the run began have been asked.
        if late and plugin not in self.known:
            self.run.note(collection.too_late(late[0], plugin, self.run.config))

    def pytest_ignore_collect(self, collection_path: Path, config: pytest.Config) -> bool | None:
        """Keep pytest out of workspace and cache: with `python_files = *.py` it would run the scripts in them."""
        if collection_path in (self.run.options.workspace, self.run.options.cache):
            return True
        return self.run.named.ignored(collection_path, config) if self.run.named else None

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> None:
        """Tell where the named models are; xdist's controller collects nothing."""
        if self.run.named and not session.config.pluginmanager.hasplugin("dsession"):
            self.run.named.locate(session.config)

    @pytest.hookimpl(wrapper=True)
    def pytest_collect_file(
        self, file_path: Path, parent: pytest.Collector
    ) -> Generator[None, list[pytest.Collector], list[pytest.Collector]]:
        """Collect a model file, and a conftest.py for its `nav_model`."""
        collectors = yield
        collection.collect_file(file_path, parent, collectors)
        return collectors

    def pytest_pycollect_makeitem(
        self, collector: Any, name: str, obj: object
    ) -> pytest.Collector | list[pytest.Item] | None:
        """Plant a suite where `nav_model` is; take `verify_` functions in; leave out tests of nothing."""
        with self.run.noting_problems():
            if generation.is_empty(collector, name, self.run):
                return []
        return collection.planted(collector, name, obj)

    @pytest.hookimpl(trylast=True)  # so that our part of an id comes last
    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Parametrize the generated tests and `nav_runner`."""
        with self.run.noting_problems():
            generation.parametrize(metafunc, self.run)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(
        self, session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Find what is wrong before anything runs; record what was collected."""
        generation.finish(self.run, session, items)
        if hasattr(config, "workeroutput"):
            config.workeroutput[HINTS] = self.run.hints
        if self.run.problem:
            if not hasattr(config, "workerinput"):
                raise pytest.UsageError(bounded(self.run.problem, LINE))
            config.workeroutput[PROBLEM] = self.run.problem  # type: ignore[attr-defined]
            items.clear()

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note what is selected. Start the child early: its imports overlap the source step and the first export."""
        if self.run.problem:
            return  # pytest comes by here on its way out, and what is wrong may be the settings that a suite has
        self.run.selected = generation.selected(self.run, session.items)
        if not session.config.getoption("lf", default=False):  # it leaves out what has passed: that still judges
            self.run.verifying = frozenset(item.stash.get(collection.NODEID, "") for item in session.items)
        if not session.config.option.collectonly and any(generation.is_ours(item) for item in session.items):
            from pytest_navigator.devices.assignment import release

            release(variant.parameters for s in self.run.suites.values() for variant in s.matrix.variants.values())
            self.run.warm_up()
            from pytest_navigator.plugin import ahead

            ahead.begin(self.run, session.items)
        if self.run.early:
            self.run.early.close()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Let nothing run ahead beside a test of the user's: it may measure, or hold what is in the child."""
        if self.run.ahead is None or generation.is_step(item):
            return (yield)
        self.run.ahead.pause()
        try:
            return (yield)
        finally:
            self.run.ahead.resume()

    def pytest_report_collectionfinish(self, config: pytest.Config, items: list[pytest.Item]) -> list[str]:
        """Print what holds for each suite, with `--nav-show-config` (an xdist controller collects nothing).

        Where no summary will say what needs another machine, this does.
        """

        from pytest_navigator.planning.here import elsewhere

        suites = self.run.suites.values()
        shown = suites if self.run.options.show_config else ()
        lines = [line for suite in shown for line in (f"{suite.nodeid}:", *config_lines(suite.settings))]
        if not items or config.option.collectonly:
            lines += elsewhere(sum((Counter(suite.matrix.elsewhere) for suite in suites), Counter()))
            if lacking := [suite.settings.lacking for suite in suites if suite.settings.lacking]:
                from pytest_navigator.planning.groups import left_out

                lines += dict.fromkeys(line for each in lacking for line in left_out(each))
        return lines

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Keep `nav_model` from being built by items that work from files."""
        if isinstance(item, pytest.Function) and generation.is_ours(item):
            generation.prepare(item)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, object, object]:
        """Seed the setup of `nav_model` and `nav_dataloader`."""
        if fixturedef.argname not in (MODEL, PIPELINE, LOADER):
            return (yield)
        with self.run.building_at(collection.place_of(item_of(request))):
            return (yield)

    def pytest_fixture_post_finalizer(self, fixturedef: pytest.FixtureDef[Any]) -> None:
        """Let go of the model with its fixture."""
        if fixturedef.argname in (MODEL, PIPELINE):
            self.run.let_go()

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.CollectReport | pytest.TestReport) -> tuple[str, str, str] | None:
        """Let `-v` say that an outcome is an earlier run's, and of when."""
        if report.when != "call" or not report.passed:
            return None
        from pytest_navigator.core.records import CACHED, REUSED, earlier_text

        said = dict(getattr(report, "user_properties", ()))
        ways = [earlier_text(way, str(said[f"nav_{way}"])) for way in (CACHED, REUSED) if f"nav_{way}" in said]
        return ("passed", ".", f"PASSED ({ways[0]})") if ways else None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Point at the user's own file, add the figures, and keep what a `verify_` test found."""

        from pytest_navigator.plugin import foreign_reports, verification

        report = yield
        if isinstance(item, pytest.Function) and generation.is_ours(item):
            generation.annotate(item, report, item.stash.get(OUTCOME, None), self.run)
            foreign_reports.bound(report)
            verification.record(item, report, self.run)
            if report.when == "teardown" and OUTCOME in item.stash:
                del item.stash[OUTCOME]  # an item lives as long as the session, of whatever many models
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """From here on, no signal interrupts what is written of the run."""
        self.run.termination.finishing = True
        if self.run.ahead:
            self.run.ahead.stop()

    def pytest_unconfigure(self) -> None:
        """End the child."""
        self.run.termination.stop()
        if self.run.named:
            self.run.named.end()
        self.run.close()


class Controller:
    """What one process does for all: own the workspace, write the packages, print the summary."""

    def __init__(self, config: pytest.Config, run: Run) -> None:
        self.run = run
        self.written: list[packing.Written] = []
        self.reports: Reports | None = None
        self.hosts: Hosts | None = None
        self._ending = ExitStack()
        if config.option.collectonly:
            return
        from pytest_navigator.devices.shared import sharing
        from pytest_navigator.plugin.reports import Reports
        from pytest_navigator.reporting import packages as packing

        packing.check_target(run.options.package, run.options.workspace)
        self.reports = Reports(run)
        config.pluginmanager.register(self.reports, "navigator-reports")
        if run.cache:
            run.cache.prepare(run.options.workspace)
        if run.file_config.output_path:
            from pytest_navigator.reporting import conversions

            conversions.check(run, [spec.text for spec in run.named.specs] if run.named else [])
        lock = run.workspace.claim(run.id, resume=run.options.resume)
        self._ending.callback(lock.release)
        self._ending.enter_context(sharing(run.workspace.devices))

    def pytest_report_header(self) -> list[str]:
        """Say what this run will leave behind, and what became of the one before."""
        package = self.run.options.package or "none (--nav-package=PATH writes one)"
        workspace = short_path(self.run.options.workspace, self.run.start)
        first = f"navigator: {__version__}, workspace: {workspace}, package: {package}"
        if cache := self.run.options.cache:
            first += f", cache: {short_path(cache, self.run.start)}"
        crashed = ", ".join(self.run.workspace.crashed)
        return [
            first,
            *([f"navigator: device: {device}"] if (device := self._device()) else []),
            *([f"navigator: the last run's process ended in {crashed}{self._remedy()}"] if crashed else []),
        ]

    def _remedy(self) -> str:
        """Return what keeps a crash to one test, in a run that does not have it."""
        return "" if self.run.config.pluginmanager.hasplugin("dsession") else "; -n 1 isolates it"

    def _device(self) -> str:
        """Return the GPUs; that there are none, for those who ask for TensorRT alone; "" for all others."""
        option = self.run.config.option
        if option.collectonly:
            return ""
        from pytest_navigator.devices.present import devices
        from pytest_navigator.devices.records import NONE, devices_line

        asked = f"{option.nav_formats} {option.nav_runtimes} {option.nav_require}"
        if devices().missing == NONE and not re.search("trt|tensorrt", asked):
            return ""
        from pytest_navigator.devices.libraries import tensorrt_title

        return ", ".join(filter(None, (devices_line(devices()), tensorrt_title())))

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell an xdist worker which run it belongs to."""
        node.workerinput[LACKING] = list(self.run.lacking)
        if self.hosts is None:
            from pytest_navigator.plugin.hosts import Hosts

            self.hosts = Hosts(self.run)
            self.run.config.pluginmanager.register(self.hosts, "navigator-hosts")
        self.hosts.meet(node)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodeready(self, node: Any) -> None:
        """Keep a worker of this machine: it is told to end when this process is."""
        if pid := worker_pid(node):
            self.run.termination.workers.append(pid)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        """Let every test crash its worker: xdist gives up after a few."""
        allow_crashes(self.run.config, len(ids))

    @pytest.hookimpl(optionalhook=True)
    def pytest_handlecrashitem(self, report: pytest.TestReport) -> None:
        """Blame the step in which a worker died, not the test that needed it."""

        from pytest_navigator.plugin import crashes

        crashes.blame(report, report.node.gateway.id, self.run)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """Take a worker's usage error and hints for the run's."""
        output = getattr(node, "workeroutput", {})
        self.run.problem = self.run.problem or output.get(PROBLEM, "")
        self.run.hints = list(dict.fromkeys([*self.run.hints, *output.get(HINTS, [])]))

    @pytest.hookimpl(trylast=True)  # after the last step has been recorded, before the terminal's summary
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the packages, whatever happened: also after failures, `-x` and Ctrl-C."""
        if self.run.problem:
            session.exitstatus = pytest.ExitCode.USAGE_ERROR
        elif not session.config.option.collectonly:
            from pytest_navigator.reporting import packages as packing

            complete = session.exitstatus not in STOPPED
            self.run.workspace.take_back_ahead()  # what a worker that has died has left
            self.written = _with_pipelines(self.run, packing.write_all(self.run, complete=complete), complete)
            if self.hosts and self.hosts.problems:
                self.written.append(packing.Written(["hosts", *self.hosts.problems], fails=True))
            if session.exitstatus == pytest.ExitCode.OK and any(w.fails for w in self.written):
                session.exitstatus = pytest.ExitCode.TESTS_FAILED
        session.exitstatus = self.run.termination.exit_code or session.exitstatus
        if self.reports and not self.run.problem and not self.reports.write(self.written, int(session.exitstatus)):
            session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(tryfirst=True)  # before the tables of others
    def pytest_terminal_summary(self, terminalreporter: Any, config: pytest.Config) -> None:
        """Print one section: a row per format and runtime, the best, the skips, the package."""
        if self.run.problem and config.pluginmanager.hasplugin("dsession"):  # without xdist, pytest says it
            terminalreporter.write_line(f"ERROR: {bounded(printable(str(self.run.problem)), LINE)}", red=True)
        if self.written or (self.run.hints and not config.option.collectonly):
            terminalreporter.write_sep("=", "navigator")
            blocks = ["\n".join(lines) for lines in self._blocks(verbose=config.option.verbose > 0)]
            # One by one: of what the terminal's encoding lacks, pytest escapes the whole text, its ends of lines too.
            reported = ["\n".join(self.reports.lines)] if self.reports and self.reports.lines else []
            for line in printable("\n\n".join([*blocks, *self.run.hints, *reported])).split("\n"):
                terminalreporter.write_line(line)
        for line in self.reports.annotations if self.reports else ():
            terminalreporter.write_line(line)

    def _blocks(self, *, verbose: bool) -> list[list[str]]:
        """Return the lines of each model and pipeline; of many models those of all together, at the end."""
        from pytest_navigator.reporting.digest import MANY, digest

        models = [written for written in self.written if written.report]
        if len(models) <= MANY:
            return [written.lines for written in self.written]
        shown = [written.lines for written in self.written if verbose or not written.report]
        return [*shown, digest(models, len(self.run.workspace.suites()), self.run.start)]

    def pytest_unconfigure(self) -> None:
        """Let the next run have the workspace."""
        self._ending.close()


def _with_pipelines(run: Run, models: list[packing.Written], complete: bool) -> list[packing.Written]:
    """Write the packages of pipelines too; most runs have none, and import nothing for them."""
    from pytest_navigator.engine.workspace import PIPELINE

    if not any(run.workspace.root.glob(f"*/{PIPELINE}")):
        return models
    from pytest_navigator.pipelines.ending import end_pipelines
    from pytest_navigator.pipelines.told_once import told_once

    wholes = end_pipelines(run, complete=complete)
    return told_once(models, wholes, str(short_path(run.workspace.root, run.start)))
