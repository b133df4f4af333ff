"""The profile step: the bare call of a runner, timed in windows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_navigator.configuration.profile_config import OptimizationProfile
from pytest_navigator.core.digests import digest_of
from pytest_navigator.core.facts import ProfileFacts, ThroughputFacts, as_data, facts_of
from pytest_navigator.core.plain import plain, structured
from pytest_navigator.core.steps import BEST, KNEE, batch_of, step_id
from pytest_navigator.engine import gpu, isolated
from pytest_navigator.engine.active import live_runner
from pytest_navigator.engine.content import content_of
from pytest_navigator.engine.context import Result
from pytest_navigator.engine.made_sizes import made_sizes
from pytest_navigator.engine.scripts import write_profiling
from pytest_navigator.engine.step_code import StepCode
from pytest_navigator.engine.timing_sample import timed_batch
from pytest_navigator.errors import NotApplicable
from pytest_navigator.profiling.fastest import CALLS
from pytest_navigator.profiling.figures import caveat
from pytest_navigator.profiling.machine import peak, reset_peak
from pytest_navigator.profiling.memory import PeakMemory

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_navigator.configuration.budgets import Limit
    from pytest_navigator.configuration.profile_config import Windows
    from pytest_navigator.core.plain import JSON
    from pytest_navigator.engine.context import Context


def run(context: Context) -> Result:
    """Measure; noise is recorded, never judged."""
    context.require(*context.runner.requires)
    gpu.require_same(context)
    source = context.folder.source
    largest, size = source.max_batch_size, _size(context)
    if context.step.batch == "batchmax" and largest in (0, 1):
        raise NotApplicable(f"the loader's largest batch is {largest}; batch1 measures one")
    if largest is None and size is not None:
        other = next((b for b in reversed(context.suite.matrix.batches) if not b[-1].isdigit()), "batchmax")
        raise NotApplicable(f"the inputs cannot be cut into rows of a batch; {other} times the largest sample as it is")
    _check_fixed(context, source.fixed_batch)
    _check_made(context, size)
    write_profiling(context)
    found = measured(context, size)
    data = as_data(replace(found, source_device=source.device))
    return Result(data, message=caveat(found.result) if found.result else "")


def _size(context: Context) -> int | None:
    """Return the batch size that is measured; None: the sample as it is.

    Raises:
        NotApplicable: the search has found the same size for another item.
    """
    batch, source = context.step.batch, context.folder.source
    if batch not in (KNEE, BEST):
        return batch_of(batch, source.max_batch_size)
    found = facts_of(
        context.folder.record(step_id("throughput", context.step.key, context.step.runner)), ThroughputFacts
    )
    if batch == KNEE and found.knee == found.best:
        raise NotApplicable(f"the knee is the best batch size, {found.best or 'unknown'}: {BEST} measures it")
    size = found.knee if batch == KNEE else found.best
    if size == 1 and "batch1" in context.suite.matrix.batches:
        raise NotApplicable(f"the {batch.removeprefix('batch')} batch size is 1: batch1 measures it")
    return size


def _check_fixed(context: Context, fixed: int | None) -> None:
    """Skip every size but the one of a model file that takes no other."""
    if fixed is not None and context.step.batch not in (KNEE, BEST, f"batch{fixed}", "batchmax"):
        raise NotApplicable(f"the file takes batches of {fixed} only")


def _check_made(context: Context, size: int | None) -> None:
    """Skip a size that the artifact was not made for."""
    made = made_sizes(context)
    if made and size is not None and size not in made:
        raise NotApplicable(f"{context.variant.key} was made for batches of {', '.join(map(str, made))} alone")


def measured(context: Context, batch_size: int | None) -> ProfileFacts:
    """Measure the step's runner at a batch size; None: on the sample as it is."""
    sample, seconds = timed_batch(context.folder), context.suite.settings.profile_seconds
    if not context.runner.live:
        found = context.isolated(
            isolated.profile,
            folder=context.folder.path,
            variant=context.variant,
            runner=context.runner,
            sample=sample,
            batch_size=batch_size,
            windows=windows(context),
            seconds=seconds,
        )
        return structured(found, ProfileFacts)
    return _live(context, sample, batch_size, seconds)


def _live(context: Context, sample: str, batch_size: int | None, seconds: float) -> ProfileFacts:
    from pytest_navigator.engine import checks

    reset_peak()
    memory = PeakMemory()
    with live_runner(context) as runner:
        result = checks.profile(runner, context.folder.path, sample, batch_size, windows(context), seconds, memory)
        return ProfileFacts(replace(result, peak_memory=peak()), runner.settings(), compilation=runner.compilation())


def windows(context: Context) -> Windows:
    """Return how the measurement is made up."""
    configured = (context.suite.settings.config.optimization_profile or OptimizationProfile()).windows()
    # A percentile of few calls is their slowest one: what has a budget of it is measured longer.
    least = max((2 * CALLS[limit.bound] for limit in _limits(context)), default=0)
    return replace(configured, size=max(configured.size, least))


def _limits(context: Context) -> list[Limit]:
    """Return the limits of the times that the step measures."""
    step, matrix = context.step, context.suite.matrix
    own = [(matrix.limit_of(each), matrix.measured(each)) for each in matrix.budgets_of(step.key, step.runner)]
    return [limit for limit, profiles in own if limit.bound in CALLS and step in profiles]


def _timing(context: Context) -> dict[str, JSON]:
    """Return what a measurement depends on."""
    source = context.folder.source
    return {
        "artifact": content_of(context, context.variant),
        "sample": digest_of(context.folder.path / timed_batch(context.folder)),
        "batches": [context.step.batch, _size(context), source.max_batch_size, source.fixed_batch, source.device],
        "windows": [plain(windows(context)), context.suite.settings.profile_seconds],
    }


def _restore_timed(context: Context, folder: Path, data: dict[str, JSON]) -> None:
    write_profiling(context)


STEP = StepCode(run, _timing, restore=_restore_timed)
