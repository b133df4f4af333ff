"""The steps of one model, one after the other, told on the terminal as pytest tells them."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_navigator.backends.builtin import known
from pytest_navigator.configuration.settings import resolve
from pytest_navigator.core.steps import Status, Step
from pytest_navigator.core.tracebacks import users_traceback
from pytest_navigator.engine import engine, interpreter_check
from pytest_navigator.engine.host import Host
from pytest_navigator.engine.live import Live
from pytest_navigator.engine.proxies import RunnerProxy
from pytest_navigator.engine.suite import Suite
from pytest_navigator.engine.verification import record_verification
from pytest_navigator.engine.workspace import Workspace
from pytest_navigator.isolation.live_section import outside
from pytest_navigator.isolation.progress import Progress
from pytest_navigator.package.planned import package_matrix
from pytest_navigator.planning import building
from pytest_navigator.planning.filtered import check_cells
from pytest_navigator.planning.groups import ungrouped
from pytest_navigator.planning.here import Here, on_this_machine
from pytest_navigator.reporting import packages as packing
from pytest_navigator.reporting.report import failure_text
from pytest_navigator.reporting.steps import failures, rule, step_line, test_name
from pytest_navigator.text import printable, short_path

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_navigator.api.given import Given
    from pytest_navigator.configuration.run_options import RunOptions
    from pytest_navigator.configuration.settings import Settings
    from pytest_navigator.package.source import PackageSource
    from pytest_navigator.planning.matrix import Matrix


@dataclass
class Session:
    """One call of the API.

    Attributes:
        failed: test -> what there is to say of its failure.
        written: what the end of the run says of the suite.
        worded: how lines are put, where options are called otherwise than in pytest.
        quiet_source: whether the caller tells why the source failed, so that nothing else needs to.
    """

    given: Given
    host: Host
    suite: Suite
    live: Live
    failed: dict[str, str] = field(default_factory=dict)
    written: list[packing.Written] = field(default_factory=list)
    worded: Callable[[str], str] = str
    quiet_source: bool = False
    _done: int = 0
    _cause: str = ""

    @classmethod
    def planned(
        cls,
        given: Given,
        title: str,
        options: RunOptions,
        *,
        flags: Mapping[str, object] | None = None,
        package: PackageSource | None = None,
        debug: bool = False,
        hands_over: bool = True,
    ) -> Session:
        """Plan what is checked; nothing is written yet.

        Args:
            title: what the model is called in the lines of its steps.
            flags: settings that win over those of `given`, by their name.
            package: checked again, instead of a live model.
            hands_over: whether the caller gets the package as an object.

        Raises:
            ConfigError: the configuration leaves nothing to check, or asks for what there is not.
        """
        packing.check_target(options.package, options.workspace)
        here = Path.cwd()
        host = Host(options, known(), Workspace(options.workspace), start=here, project=here, hands_over=hands_over)
        host.debug = host.debug or debug
        framework = package.suite.framework if package else given.config.framework or ""
        settings = ungrouped(resolve(flags or {}, {}, given.config), host.registry, framework)
        matrix = _matrix(given, package, settings, host)
        check_cells([(title, settings, matrix)], host.registry, given.unasked)
        interpreter_check.check(host, settings, matrix, packaged=package is not None)
        nodeid, name = f"{title}::nav_model", given.config.name or title
        suite = Suite(nodeid, name, settings, matrix, host.workspace.suite(name, f"{nodeid}[]"), package)
        host.suites = {nodeid: suite}
        return cls(given, host, suite, Live(host, suite, given))

    def run(self) -> None:
        """Run every step and `verify_func`, write the package, and say what came of it.

        Raises:
            ConfigError: the workspace cannot be used. Nothing has run then.
            BaseException: what goes through to who debugs, or an interruption; what ran before is recorded.
        """
        with ExitStack() as ending:
            # The last one is the first to be called: nobody gets the workspace while the child still writes into it.
            ending.callback(self.host.workspace.claim().release)
            ending.callback(self.host.close)
            self.host.progress = Progress(shown=True, within_line=False)
            self._run()

    def _run(self) -> None:
        complete = False
        try:
            self.host.write_manifests({self.suite.nodeid: self._tests()})
            self.host.warm_up()
            for step in self.suite.matrix.steps():
                self._check(step)
            for key, runner in self._verified():
                self._verify(key, runner)
            complete = True
        finally:
            self._end(complete=complete)

    def _check(self, step: Step) -> None:
        found = engine.outcome(self.host, self.suite, step, self.live)
        name = test_name(step, self.suite.matrix)
        if found.status is Status.FAILED:
            self._cause = found.message if step.step == "source" else self._cause
            self.suite.folder.mark_reported(found)  # else the end of the run would tell of it once more
            folder, command = self.suite.folder.path, self.host.reproducing(self.suite, found)
            self.failed[name] = failure_text(found, short_path(folder, self.host.start), command)
        self._tell(f"{self.suite.nodeid}::{name}", found.status, found.message)

    def _verify(self, key: str, runner: str) -> None:
        checked = self.suite.folder.record(Step("correctness", key, runner).id)
        nodeid, begin = self._nodeid(key, runner), time.perf_counter()
        error: BaseException | None = None
        if checked is None or not checked.passed:
            status, message = Status.SKIPPED, f"{checked.id} {checked.status.value}" if checked else "not checked"
        else:
            status, message, error = self._verdict(key, runner)
        took = time.perf_counter() - begin
        record_verification(self.suite, key, runner, status, message, took, nodeid)
        self._tell(nodeid, status, message)
        # After it is recorded and told: a debugger that stops here must not lose it.
        if error is not None and self.host.debug:
            raise error
        if status is Status.FAILED:
            text = users_traceback(error) if error is not None else message
            self.failed[nodeid.rpartition("::")[2]] = text

    def _verdict(self, key: str, runner: str) -> tuple[Status, str, BaseException | None]:
        try:
            proxy = RunnerProxy(self.host, self.suite, self.live, key, runner)
            with self.host.recordable("verify_func"), proxy:
                problem = self.given.verify(proxy, self.suite.folder)
        except Exception as error:
            return Status.FAILED, f"{type(error).__name__}: {error}", error
        return (Status.FAILED if problem else Status.PASSED), problem, None

    def _verified(self) -> list[tuple[str, str]]:
        return self.suite.matrix.verifiable if self.given.verify_func is not None else []

    def _tests(self) -> dict[str, tuple[str, str]]:
        return {self._nodeid(*cell): cell for cell in self._verified()}

    def _nodeid(self, key: str, runner: str) -> str:
        return f"{self.suite.nodeid.partition('::')[0]}::verify_func[{self.suite.matrix.cell_id(key, runner)}]"

    def _tell(self, nodeid: str, status: Status, message: str) -> None:
        self._done += 1
        if status is Status.SKIPPED:  # why the source failed is told once, below
            message = message.replace(f": {self._cause}", "") if self._cause else message
            if self._cause and self.quiet_source:
                return
        total = len(self.suite.matrix.steps()) + len(self._verified())
        self._print([step_line(nodeid, status, message, self._done, total)])

    def _end(self, *, complete: bool) -> None:
        self.written = packing.write_all(self.host, complete=complete)
        lines = [line for each in self.written for line in each.lines]
        told = failures(self.failed)
        if self._cause and self.quiet_source:
            told, lines = [], [line for line in lines if not line.startswith("FAILED: source")]
        self._print([*told, rule("navigator", "="), *lines, *self.host.hints])

    def _print(self, lines: list[str]) -> None:
        """Write to the caller's terminal, while no step of another thread has its output in a log."""
        with outside():
            sys.stdout.write("".join(f"{printable(self.worded(line))}\n" for line in lines))
            sys.stdout.flush()


def _matrix(given: Given, package: PackageSource | None, settings: Settings, host: Host) -> Matrix:
    if package is not None:
        whole = package_matrix(package, settings, host.registry)
    else:
        whole = building.build(settings, host.registry, given.config.framework or "", given.unasked)
    here = on_this_machine(whole, lambda: Here(host.lacking), settings, host.registry, given.unasked)
    return here.without(given.without) if given.without else here
