"""One generated test: it reports the outcome of a step, or is a view of a runner for a `verify_` function."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from pytest_navigator.core.steps import Status, Step
from pytest_navigator.errors import PackageError
from pytest_navigator.plugin._compat import closure_of, ids_of
from pytest_navigator.plugin.collection import SuiteNode, named_of, place_of
from pytest_navigator.plugin.places import MODEL, PipelinePlace
from pytest_navigator.plugin.run import RUN
from pytest_navigator.text import one_line

if TYPE_CHECKING:
    from pytest_navigator.core.expected import Expected
    from pytest_navigator.core.records import Outcome
    from pytest_navigator.planning.matrix import Matrix
    from pytest_navigator.plugin.run import CollectedSuite, Run

OURS = ("nav_format", "nav_runtime", "nav_batch", "nav_limit", "nav_runner")
# pytest-repeat's parameter, from 0: each repetition does what it says, none replays the record of the first.
REPETITION = "__pytest_repeat_step_number"
OUTCOME = pytest.StashKey["Outcome"]()  # What an item reported: for the report's own line and properties


class SuiteItem:
    """A suite, seen from one of its items (or from a `verify_` test)."""

    def __init__(self, request: pytest.FixtureRequest, run: Run, suite: CollectedSuite) -> None:
        self.request = request
        self.run = run
        self.suite = suite
        from pytest_navigator.engine.live import Live

        self.live = Live(run, suite, run.provider(request, suite))

    def outcome(self, step: Step, *, again: bool = False) -> Outcome:
        """Return the outcome of a step; it runs if it has not."""
        from pytest_navigator.engine import engine

        if isinstance(self.suite.place, PipelinePlace):
            from pytest_navigator.plugin.recording import have_recorded

            have_recorded(self.run, self.request, self.suite.place)
        try:
            return engine.outcome(self.run, self.suite, step, self.live, again=again)
        except PackageError as error:  # a record that somebody has damaged
            damage = str(error)
        pytest.fail(damage, pytrace=False)  # not above: pytest would show what led to it

    def finish(self) -> None:
        """Have everything run that this run selects of the suite; where that is nothing, the whole suite."""
        chosen = self.run.selected.get(self.suite.nodeid)
        for step in self.suite.matrix.steps():
            if chosen is None or step.id in chosen:
                self.outcome(step)

    def report(self, step: str, nav_format: str = "", nav_runtime: str = "", nav_batch: str = "") -> Outcome:
        """Pass, fail, skip or xfail as the step did."""
        item = self.request.node
        runner = self.runner(nav_format, nav_runtime) if nav_runtime else ""
        asked = Step(step, nav_format, runner, nav_batch)
        self.live.asked = asked
        found = self.outcome(asked, again=again(item))
        item.stash[OUTCOME] = found
        self._raise(found)
        return found

    def profile(self, nav_format: str, nav_runtime: str, nav_batch: str, benchmark: Any) -> None:
        """Report a profile step, and show its figures as pytest-benchmark's."""
        from pytest_navigator.core.facts import profile_result
        from pytest_navigator.plugin.benchmark import measured, replay_item

        with measured(benchmark):
            found = self.report("profile", nav_format, nav_runtime, nav_batch)
        result = profile_result(found)
        replay_item(self.request.node, benchmark, result, found, group=self.suite.name, runtime=nav_runtime)

    def runner(self, nav_format: str, nav_runtime: str) -> str:
        """Return the name of the runner that executes a format in a runtime."""
        return self.suite.matrix.runner_of(nav_format, nav_runtime)

    def _raise(self, found: Outcome) -> None:
        from pytest_navigator.planning.required import stops
        from pytest_navigator.reporting.report import failure_text
        from pytest_navigator.text import short_path

        if found.status is Status.FAILED:
            self.suite.folder.mark_reported(found)
        if self.suite.settings.expected is not None:
            self._judge(found, self.suite.settings.expected)
        if found.status is Status.FAILED:
            if error := self.run.raised.pop((self.suite.nodeid, found.id), None):
                raise error
            folder = short_path(self.suite.folder.path, self.run.start)
            pytest.fail(failure_text(found, folder, self.run.reproducing(self.suite, found)), pytrace=False)
        if found.status is Status.XFAILED:
            pytest.xfail(one_line(found.message))
        if found.status is Status.SKIPPED:
            if stops(self.suite.matrix.required, found, self._records()):
                origin = self.suite.settings.all["require"].origin
                pytest.fail(f"{one_line(found.message)} (required by {origin})", pytrace=False)
            pytest.skip(one_line(found.message))

    def _judge(self, found: Outcome, expected: Expected) -> None:
        """Report what `nav_expected.toml` makes of an outcome: an expected failure, or a pass that nobody expects."""
        from pytest_navigator.gates.expected_steps import agreed, unexpected

        names, option = names_of(found, self.suite.matrix), self.run.options.expected
        if found.failed and (reason := agreed(found, expected, names, option)):
            pytest.xfail(one_line(reason))
        if text := unexpected(found, expected, names, option):
            pytest.fail(one_line(text), pytrace=False)

    def _records(self) -> dict[str, Outcome]:
        """Return what is recorded so far, if anything is required that it may decide."""
        return {o.id: o for o in self.suite.folder.outcomes()} if self.suite.matrix.required else {}


def names_of(found: Outcome, matrix: Matrix) -> tuple[str, ...]:
    """Return what an expected file may call what a step is of: its cell, or its format and the cells of that."""
    if found.runner:
        return (matrix.cell_id(found.key, found.runner),)
    return (found.key, *(matrix.cell_id(found.key, runner) for runner in matrix.runners_of(found.key)))


def again(item: pytest.Function) -> bool:
    """Whether an item is to do once more what was done: pytest-rerunfailures or pytest-repeat asks for it."""
    return getattr(item, "execution_count", 1) > 1 or repeated(item)


def repeated(item: pytest.Item) -> bool:
    """Whether an item is pytest-repeat's second one or a later one."""
    callspec = getattr(item, "callspec", None)
    return bool(callspec.params.get(REPETITION, 0)) if callspec else False


def suite_item(request: pytest.FixtureRequest) -> SuiteItem:
    """Return the suite that the item of a request belongs to."""
    run = request.config.stash[RUN]
    return SuiteItem(request, run, suite_of(request.node, run))


def suite_of(item: pytest.Function, run: Run) -> CollectedSuite:
    """Return the suite of an item: of its own node, or of the `nav_model` that a `verify_` test sees."""
    place = place_of(item)
    if place is None:
        pytest.fail(f"{item.nodeid} sees no nav_model: move it below one, or name it by --nav-model", pytrace=False)
    parameters = model_parameters(item)
    if not parameters and run.parametrized(place):
        pytest.fail(
            f"{place.nodeid} is several models: ask for nav_package in the test itself, or for nav_model too",
            pytrace=False,
        )
    own, certain = model_id(item, parameters)
    certain = certain and item.getparent(SuiteNode) is not None  # a test of the user's may have ids of its own
    return run.met(place, parameters, own, certain=certain) or run.suite(place, own, parameters)


def model_parameters(item: pytest.Function) -> dict[str, Any]:
    """Return those parameters of an item that its `nav_model` depends on."""
    callspec = getattr(item, "callspec", None)
    if callspec is None or named_of(item.config) is not None:
        return {}
    closure = closure_of(item, MODEL)
    return {name: value for name, value in callspec.params.items() if name in closure}


def model_id(item: pytest.Function, parameters: dict[str, Any]) -> tuple[str, bool]:
    """Return the model's own parameters as the item's id writes them, and whether nothing else is in that."""
    if not parameters:
        return "", True
    ids, names = ids_of(item), [name for name in item.callspec.params if name not in (*OURS, REPETITION)]
    if isinstance(repetition := item.callspec.params.get(REPETITION), int):  # before ours or after
        ids = [part for part in ids if not re.fullmatch(rf"{repetition + 1}-\d+", part)]
    if not {*OURS}.isdisjoint(item.callspec.params):
        ids.pop()  # ours are one parametrization, the last one
    if len(ids) != len(names):  # several names in one parametrization, or an id that is hidden
        return "-".join(ids), False
    return "-".join(part for name, part in zip(names, ids, strict=True) if name in parameters), True
