"""A whole pipeline with formats in the places of its modules, seen from one item: checked, measured, or called."""

from __future__ import annotations

import time
import warnings
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from pytest_navigator.comparison.precisions import coarsest
from pytest_navigator.core.plain import plain
from pytest_navigator.core.records import Outcome
from pytest_navigator.core.steps import Status, Step
from pytest_navigator.engine.proxies import RunnerProxy
from pytest_navigator.errors import NavigatorError, StepFailed
from pytest_navigator.isolation.causes import error_line
from pytest_navigator.isolation.live_section import live_section
from pytest_navigator.package.query.results import read_results
from pytest_navigator.package.running import artifacts
from pytest_navigator.pipelines.choosing import verdict_of
from pytest_navigator.pipelines.end_to_end import problem_of, run_pipeline
from pytest_navigator.pipelines.pace import not_faster, paces
from pytest_navigator.pipelines.pipeline_record import EAGER, STEP, WholeFacts, facts_of_whole
from pytest_navigator.pipelines.settling import settled
from pytest_navigator.pipelines.swapped import swapping
from pytest_navigator.plugin.item import OUTCOME, SuiteItem, again
from pytest_navigator.plugin.live_pipeline import live_pipeline
from pytest_navigator.plugin.pipelines import BEST, pipeline_of
from pytest_navigator.plugin.recording import graph_record, have_recorded
from pytest_navigator.plugin.run import RUN
from pytest_navigator.text import one_line, short_path

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from pytest_navigator.pipelines.end_to_end import PipelineRun
    from pytest_navigator.pipelines.pace import Pace
    from pytest_navigator.pipelines.recorded import GraphRecord
    from pytest_navigator.pipelines.registry import Forward
    from pytest_navigator.pipelines.swapped import Swapped
    from pytest_navigator.plugin.live_pipeline import LivePipeline
    from pytest_navigator.plugin.pipelines import Mix
    from pytest_navigator.plugin.run import Run

EAGER_RUNS = pytest.StashKey[dict[str, "PipelineRun"]]()  # By the node of their place: run once in a process
CRASHED = "the pytest process ended while the pipeline ran in it with formats in its modules"


@dataclass(frozen=True)
class Part:
    """What is in the place of one module.

    Attributes:
        key, runner: format and runner; "" where the module stays as it is.
        reason: why it stays, or what the choice rests on.
        graph: of the calls that go to the format; None where there are none.
    """

    item: SuiteItem
    key: str = ""
    runner: str = ""
    reason: str = ""
    graph: GraphRecord | None = None

    @property
    def title(self) -> str:
        """What runs, as an id writes it."""
        return self.item.suite.matrix.cell_id(self.key, self.runner) if self.key else EAGER

    @property
    def precision(self) -> str:
        """What the format computes in, if that is its own; else ""."""
        return str(self.item.suite.matrix.variants[self.key].parameters.get("precision", "")) if self.key else ""

    @property
    def kept(self) -> Part:
        """The module as it is."""
        return Part(self.item)


Parts = dict[str, Part]


class WholeItem:
    """A whole pipeline, seen from one of its items."""

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self.request = request
        self.run: Run = request.config.stash[RUN]
        self.whole = pipeline_of(request.node, self.run)

    def report(self, mix: Mix) -> Outcome:
        """Pass, fail or skip as the pipeline did with a mix."""
        from pytest_navigator.reporting.report import failure_text

        found = self.outcome(mix, again=again(self.request.node))
        self.request.node.stash[OUTCOME] = found
        if found.status is Status.SKIPPED:
            pytest.skip(one_line(found.message))
        if found.status is Status.FAILED:
            pytest.fail(failure_text(found, short_path(self.whole.folder.path, self.run.start)), pytrace=False)
        return found

    def outcome(self, mix: Mix, *, again: bool = False) -> Outcome:
        """Return what became of the pipeline with a mix; it runs if it has not in this run."""
        step, folder = Step(STEP, "-".join(mix)), self.whole.folder
        recorded = folder.record(step.id)
        if recorded is not None and not again:
            return recorded
        parts = self.parts(mix)  # before the lock: what is needed first takes locks of its own
        with folder.lock(step.id):
            recorded = folder.record(step.id)
            if recorded is not None and not again:
                return recorded
            if step.id in folder.unfinished() and not again:
                return self._finished(step, folder.noted(step.id))
            folder.start(_outcome(step, Status.FAILED, CRASHED))
            started, begin = datetime.now(UTC), time.perf_counter()
            found = self._attempt(step, parts, chooses=mix == BEST)
            took = time.perf_counter() - begin
            return self._finished(step, found, duration=took, started=started.isoformat())

    def _finished(self, step: Step, found: Outcome, **fields: Any) -> Outcome:
        written = self.whole.folder.write(replace(found, **fields).noted(run=self.run.id))
        self.whole.folder.finish(step.id)
        return written

    def parts(self, mix: Mix) -> Parts:
        """Return what is in the place of each module; what must be known for that runs first."""
        have_recorded(self.run, self.request, self.whole.place)
        choose = self._best if mix == BEST else partial(self._cell, key=mix[0], runtime=mix[1])
        return {name: choose(name, SuiteItem(self.request, self.run, s)) for name, s in self.whole.suites.items()}

    def _cell(self, name: str, item: SuiteItem, key: str, runtime: str) -> Part:
        """Return one format in one runtime, if it is right for the module."""
        matrix = item.suite.matrix
        runner = next((r for k, r in matrix.verifiable if k == key and matrix.runners[r].runtime == runtime), "")
        if not runner:
            return Part(item, reason="its configuration leaves the format out")
        found = item.outcome(Step("correctness", key, runner))
        if not found.passed:
            return Part(item, reason=f"{found.status.value}: {found.message}")
        return self._part(name, item, key, runner, "")

    def _best(self, name: str, item: SuiteItem) -> Part:
        """Return the format that is right and faster than the module itself, if there is one."""
        found = item.outcome(Step("source"))
        if not found.passed:
            return Part(item, reason=f"{found.status.value}: {found.message}")
        for step in item.suite.matrix.steps():
            if step.step not in ("regression", "budget"):
                item.outcome(step)
        verdict = verdict_of(read_results(item.suite.folder.path))
        return self._part(name, item, verdict.format, verdict.runner, verdict.reason)

    def _part(self, name: str, item: SuiteItem, key: str, runner: str, reason: str) -> Part:
        graph = graph_record(self.whole, name)
        return Part(item, key, runner, reason, graph) if key and graph else Part(item, reason=reason)

    def _attempt(self, step: Step, parts: Parts, *, chooses: bool) -> Outcome:
        facts = WholeFacts(
            modules={name: part.title for name, part in parts.items()},
            reasons={name: one_line(part.reason) for name, part in parts.items() if part.reason},
        )
        if not any(part.key for part in parts.values()):
            reasons = "; ".join(f"{name}: {reason}" for name, reason in facts.reasons.items())
            return _outcome(step, Status.SKIPPED, f"every module stays as it is: {reasons}", data=plain(facts))
        try:
            problem, more = self._checked(parts, facts, self.whole.folder.log(step.key), chooses=chooses)
        except NavigatorError as error:
            return _outcome(step, Status.FAILED, str(error).partition("\n")[0], data=plain(facts))
        status = Status.FAILED if problem else Status.PASSED
        return _outcome(step, status, problem, data=plain(more))

    def _checked(self, parts: Parts, facts: WholeFacts, log: Path, *, chooses: bool) -> tuple[str, WholeFacts]:
        """Return what is wrong with the pipeline with these formats, "" for nothing, and what was found out."""
        live = self.live
        with live_section(log, self._limit):
            eager = self._eager(live)
            if eager.raised:
                return f"the pipeline itself does not come through: {eager.raised}", facts
            names = [name for name, part in parts.items() if part.key]
            problem, swapped = self._problem(eager, parts, names)
            facts = replace(facts, eagerly=_eagerly(swapped))
            if problem:
                blamed = settled(names, lambda some: self._problem(eager, parts, some)[0])
                return f"{problem}; right without the format of {', '.join(blamed)}" if blamed else problem, facts
        with live_section(log, self._limit):
            return "", self._measured(parts, facts, chooses=chooses) if self._measures else facts

    def _problem(self, eager: PipelineRun, parts: Parts, names: Collection[str]) -> tuple[str, Mapping[str, Swapped]]:
        """Return what is wrong with the pipeline with the formats of some of its modules, "" for nothing."""
        live = self.live
        with self.swapped({name: parts[name] for name in names}) as swapped:
            actual = run_pipeline(live.func, live.samples)
        config, judge = self.whole.place.whole_config, _any if self.whole.verify else None
        precision = coarsest(*(parts[name].precision for name in names))
        problem = problem_of(eager, actual, judge, atol=config.atol, rtol=config.rtol, precision=precision)
        return problem, swapped

    @property
    def live(self) -> LivePipeline:
        """The pipeline in this process."""
        return live_pipeline(self.run.given(self.request, self.whole.place))

    @property
    def _limit(self) -> float | None:
        limits = [suite.settings.timeout for suite in self.whole.suites.values()]
        return max(limits, default=None)

    @property
    def _measures(self) -> bool:
        return any(suite.settings.profile for suite in self.whole.suites.values())

    def _eager(self, live: LivePipeline) -> PipelineRun:
        """Return what the pipeline gives as it is; it runs once in a process."""
        known = self.run.config.stash.setdefault(EAGER_RUNS, {})
        if self.whole.place.nodeid not in known:
            known[self.whole.place.nodeid] = run_pipeline(live.func, live.samples)
        return known[self.whole.place.nodeid]

    @contextmanager
    def swapped(self, parts: Parts) -> Iterator[Mapping[str, Swapped]]:
        """Have formats run in the child in the place of modules, until the block ends."""
        with ExitStack() as stack:
            run = {name: stack.enter_context(_proxy(part)) for name, part in parts.items() if part.key}
            yield stack.enter_context(self._swapping(parts, run))

    @contextmanager
    def _swapping(self, parts: Parts, run: Mapping[str, Forward]) -> Iterator[Mapping[str, Swapped]]:
        graphs = {
            self.live.module(name): parts[name].graph.loaded(each)  # type: ignore[union-attr]
            for name, each in run.items()
        }
        with warnings.catch_warnings(), swapping(graphs, strict=True) as swapped:
            warnings.filterwarnings("ignore", message=".* ran eagerly: ", category=UserWarning)
            yield swapped

    def _measured(self, parts: Parts, facts: WholeFacts, *, chooses: bool) -> WholeFacts:
        """Return the facts with the figures of the pipeline as it is and with these formats, in this process.

        Args:
            chooses: whether a module goes back to eager that its format makes no faster in the pipeline.
        """
        parts = {name: part for name, part in parts.items() if part.key}
        with ExitStack() as stack:
            try:
                run = {name: stack.enter_context(_runner(part)) for name, part in parts.items()}
            except Exception as error:
                self.run.warn(f"{self.whole.name}: nothing was measured: {error_line(error)}")
                return facts
            stack.enter_context(self.run.workspace.machine(exclusive=True))
            while True:
                eager, own = self._paces(parts, run)
                slow = not_faster(eager, own, list(run)) if chooses else {}
                if not slow:
                    return replace(facts, eager_ms=eager.ms, ms=own.ms)
                facts = replace(
                    facts,
                    modules=facts.modules | dict.fromkeys(slow, EAGER),
                    reasons=facts.reasons | slow,
                )
                run = {name: each for name, each in run.items() if name not in slow}
                if not run:
                    return replace(facts, eager_ms=eager.ms)

    def _paces(self, parts: Parts, run: Mapping[str, Forward]) -> tuple[Pace, Pace]:
        live = self.live
        modules = [live.module(name) for name in parts]
        return paces(live.func, live.samples, modules, partial(self._swapping, parts, run))


def _any(*_: object) -> bool:
    """Return that outputs will do: tests of the user's judge them."""
    return True


class _Held(RunnerProxy):
    """A runner of which every call is one of a pipeline, which waits for nobody between them."""

    def _machine(self) -> AbstractContextManager[None]:
        return nullcontext()


def _proxy(part: Part) -> RunnerProxy:
    return _Held(part.item.run, part.item.suite, part.item.live, part.key, part.runner)


def _runner(part: Part) -> Any:
    """Return the format in this process, as a package would give it."""
    folder = part.item.suite.folder.path
    results = read_results(folder)
    variant, kind = results.variant(part.key), artifacts.runner_class(results.suite.runners[part.runner])
    return artifacts.runner(kind, folder / variant.key / variant.file, results, variant, keep=None)


def _eagerly(swapped: Mapping[str, Swapped]) -> dict[str, list[str]]:
    return {
        name: [f"{count} of {each.calls} calls: {one_line(reason)}" for reason, count in each.eager.items()]
        for name, each in swapped.items()
        if each.eager
    }


def _outcome(step: Step, status: Status, message: str = "", **fields: Any) -> Outcome:
    return Outcome(step.step, status, step.key, message=one_line(message), **fields)


class PipelineRunner:
    """The user's pipeline with formats in the places of its modules: called like it.

    Attributes:
        mix: "onnx-cpu", or "best".
        modules: name -> what runs: "onnx-cpu", "eager".
        eager: the pipeline as it is.
    """

    def __init__(self, item: WholeItem, mix: Mix, parts: Parts, run: Mapping[str, Forward]) -> None:
        self.mix = "-".join(mix)
        self.modules = {name: part.title for name, part in parts.items()}
        self.eager: Callable[..., Any] = item.live.func
        self._swap = partial(item._swapping, parts, run)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the pipeline once."""
        __tracebackhide__ = True
        with self._swap():
            return self.eager(*args, **kwargs)


@contextmanager
def pipeline_runner(request: pytest.FixtureRequest, mix: Mix) -> Iterator[PipelineRunner]:
    """Give the pipeline with a mix in it; skip where no module has a format."""
    item = WholeItem(request)
    found = item.outcome(mix)
    if not found.passed:
        own = "" if found.status is Status.SKIPPED else f"{found.id} {found.status.value}: "
        pytest.skip(f"{own}{one_line(found.message)}")
    runs = facts_of_whole(found).modules
    parts = {name: part if runs[name] != EAGER else part.kept for name, part in item.parts(mix).items()}
    with ExitStack() as stack:
        try:
            run = {name: stack.enter_context(_proxy(part)) for name, part in parts.items() if part.key}
        except StepFailed as error:
            pytest.fail(one_line(str(error)), pytrace=False)
        yield PipelineRunner(item, mix, parts, run)
