"""A whole pipeline with formats in the places of its modules, seen from one item: checked and measured."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from pytest_navigator.comparison.precisions import coarsest
from pytest_navigator.core.pipeline_facts import EAGER, STEP, WholeFacts
from pytest_navigator.core.plain import plain
from pytest_navigator.core.records import Outcome
from pytest_navigator.core.steps import Status, Step
from pytest_navigator.errors import NavigatorError
from pytest_navigator.isolation.causes import error_line
from pytest_navigator.isolation.live_section import live_section
from pytest_navigator.pipelines.end_to_end import problem_of, run_pipeline
from pytest_navigator.pipelines.pace import caveat, paces
from pytest_navigator.pipelines.settling import by_gain, settle, settled
from pytest_navigator.pipelines.swapped import idle, none_ran
from pytest_navigator.plugin.item import OUTCOME, again
from pytest_navigator.plugin.live_pipeline import live_pipeline
from pytest_navigator.plugin.parts import in_child, in_process, parts_of, swapping_parts
from pytest_navigator.plugin.pipelines import BEST, pipeline_of
from pytest_navigator.plugin.run import RUN
from pytest_navigator.text import one_line, short_path

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from pytest_navigator.pipelines.end_to_end import PipelineRun
    from pytest_navigator.pipelines.pace import Pace
    from pytest_navigator.pipelines.swapped import Swapped
    from pytest_navigator.plugin.live_pipeline import LivePipeline
    from pytest_navigator.plugin.parts import Parts
    from pytest_navigator.plugin.pipelines import Mix
    from pytest_navigator.plugin.run import Run

EAGER_RUNS = pytest.StashKey[dict[str, "PipelineRun"]]()  # By the node of their place: run once in a process
CRASHED = "the pytest process ended while the pipeline ran in it with formats in its modules"


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
        parts = parts_of(
            self.whole, mix, self.run, self.request
        )  # before the lock: what is needed first takes locks of its own
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

    def _attempt(self, step: Step, parts: Parts, *, chooses: bool) -> Outcome:
        facts = WholeFacts(
            modules={name: part.title for name, part in parts.items()},
            reasons={name: one_line(part.reason) for name, part in parts.items() if part.reason},
        )
        if not any(part.key for part in parts.values()):
            return _skipped(step, facts)
        try:
            problem, facts = self._checked(parts, facts, self.whole.folder.log(step.key), chooses=chooses)
        except NavigatorError as error:
            problem = str(error).partition("\n")[0]
        if problem or any(runs != EAGER for runs in facts.modules.values()):
            return _outcome(step, Status.FAILED if problem else Status.PASSED, problem, data=plain(facts))
        return _skipped(step, facts)

    def _checked(self, parts: Parts, facts: WholeFacts, log: Path, *, chooses: bool) -> tuple[str, WholeFacts]:
        """Return what is wrong with the pipeline with these formats, "" for nothing, and what was found out."""
        live = self.live
        with live_section(log, self._limit):
            eager = self._eager(live)
            if eager.raised:
                return f"the pipeline itself does not come through: {eager.raised}", facts
        names = by_gain(part.gain(name) for name, part in parts.items() if part.key)
        if chooses:
            return "", self._best(parts, names, facts, eager, log)
        with live_section(log, self._limit):
            problem, swapped = self._problem(eager, parts, names)
            facts = replace(facts, eagerly=_eagerly(swapped))
            if problem:
                blamed = settled(names, lambda some: self._problem(eager, parts, some)[0])
                return f"{problem}; right without the format of {', '.join(blamed)}" if blamed else problem, facts
        if problem := none_ran(swapped):
            return problem, facts
        found = self._measured(parts, names, log)
        if found is None:
            return "", facts
        return "", replace(facts, eager_ms=found[0].ms, ms=found[1].ms, caveat=caveat(*found))

    def _best(self, parts: Parts, names: Sequence[str], facts: WholeFacts, eager: PipelineRun, log: Path) -> WholeFacts:
        """Return what is left where modules go back to eager whose format is not right, or no faster, in the whole."""
        eagerly: dict[str, list[str]] = {}

        def check(some: Collection[str]) -> str:
            with live_section(log, self._limit):
                problem, swapped = self._problem(eager, parts, some)
            eagerly.clear()  # of the last mix that was tried, which is the one that stays
            eagerly.update(_eagerly(swapped))
            return problem or next(filter(None, map(idle, swapped.values())), "")

        found = settle(names, check, lambda some: self._measured(parts, some, log))
        before, after = (each.ms for each in found.paces) if found.paces else (None, None)
        doubts = {name: f"{facts.reasons.get(name, '')}; {doubt}" for name, doubt in found.doubts.items()}
        told = found.back | doubts
        return replace(
            facts,
            eager_ms=before,
            ms=after if found.names else None,
            modules=facts.modules | dict.fromkeys(found.back, EAGER),
            reasons=facts.reasons | {name: one_line(reason) for name, reason in told.items()},
            caveat=found.caveat,
            slower=[*facts.slower, *(name for name in found.back if name in found.slower)],
            eagerly={name: told for name, told in eagerly.items() if name in found.names},
        )

    def _problem(self, eager: PipelineRun, parts: Parts, names: Collection[str]) -> tuple[str, Mapping[str, Swapped]]:
        """Return what is wrong with the pipeline with the formats of some of its modules, "" for nothing."""
        live = self.live
        with self._swapped({name: parts[name] for name in names}) as swapped:
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
    def _swapped(self, parts: Parts) -> Iterator[Mapping[str, Swapped]]:
        """Have formats run in the child in the place of modules, until the block ends."""
        with ExitStack() as stack:
            run = {name: stack.enter_context(in_child(part)) for name, part in parts.items() if part.key}
            yield stack.enter_context(swapping_parts(self.live, parts, run))

    def _measured(self, parts: Parts, names: Collection[str], log: Path) -> tuple[Pace, Pace] | None:
        """Return the pace of the pipeline as it is and with the formats of some modules, in this process."""
        if not self._measures:
            return None
        with live_section(log, self._limit):
            try:
                return self._paces(parts, names)
            except Exception as error:  # what runs in the child need not run here
                self.run.warn(f"{self.whole.name}: nothing was measured: {error_line(error)}")
                return None

    def _paces(self, parts: Parts, names: Collection[str]) -> tuple[Pace, Pace]:
        live = self.live
        modules = [live.module(name) for name in names]
        with ExitStack() as stack:
            run = {name: stack.enter_context(in_process(parts[name])) for name in names}
            with self.run.workspace.machine(exclusive=True):
                return paces(live.func, live.samples, modules, partial(swapping_parts, live, parts, run))


def _any(*_: object) -> bool:
    """Return that outputs will do: tests of the user's judge them."""
    return True


def _skipped(step: Step, facts: WholeFacts) -> Outcome:
    reasons = "; ".join(f"{name}: {reason}" for name, reason in facts.reasons.items())
    return _outcome(step, Status.SKIPPED, f"every module stays as it is: {reasons}", data=plain(facts))


def _eagerly(swapped: Mapping[str, Swapped]) -> dict[str, list[str]]:
    return {
        name: [f"{count} of {each.calls} calls: {one_line(reason)}" for reason, count in each.eager.items()]
        for name, each in swapped.items()
        if each.eager
    }


def _outcome(step: Step, status: Status, message: str = "", **fields: Any) -> Outcome:
    return Outcome(step.step, status, step.key, message=one_line(message), **fields)
