"""Whether a runner became slower than with the artifact of a baseline: both are measured, in a child that is new."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.configuration.foreign_arguments import check_arguments, check_parameters, without_files
from pytest_navigator.core.plain import structured
from pytest_navigator.engine import gpu, isolated
from pytest_navigator.engine.beside import Artifact
from pytest_navigator.engine.content import content_at
from pytest_navigator.engine.timing_sample import timed_batch
from pytest_navigator.errors import NavigatorError
from pytest_navigator.gates.facts import UNCHANGED, SpeedFacts
from pytest_navigator.gates.speed import THRESHOLD, confirmed, judged, judged_apart, not_judged
from pytest_navigator.profiling.paired import Paired

if TYPE_CHECKING:
    from pytest_navigator.core.variants import RunnerRecord, Variant
    from pytest_navigator.engine.context import Context

SHARE = 0.4  # Of the time limit of the step, for each of the two measurements
ALONE = "--nav-in-process: there is no child that nothing else runs in"
SAME = "the very bytes of the baseline's artifact"
MODES = ("inference_mode", "autocast", "autocast_dtype")  # Of the process as long as torch's calls are bound


def against(context: Context, old: Artifact) -> SpeedFacts:
    """Measure the artifact of a step beside that of a baseline, and judge.

    What the first child calls slower than the settings allow is measured again in a second one. Takes about 2 s and
    loading if nothing has changed, 12 to 25 s for a regression.

    Args:
        old: the artifact of the baseline that this step's runner runs.

    Returns:
        "not judged" with the reason where there is nothing to measure, or one of them cannot run here; no error.
    """
    threshold: float = context.suite.settings.max_slowdown
    if reason := _obstacle(context, old):
        return not_judged(reason)
    if _same(context, old):
        return SpeedFacts(UNCHANGED, SAME)
    return _twice(context, old, threshold)


def beside(context: Context, reference: Artifact, runner: RunnerRecord) -> SpeedFacts:
    """Measure the artifact of a step beside another one of the same run, and judge.

    Args:
        reference: of the same inputs; runner: what runs it, on the same kind of device.

    Returns:
        As `against` does.
    """
    if context.host.options.in_process:
        return not_judged(ALONE)
    return _twice(context, reference, THRESHOLD, runner)


def _twice(context: Context, old: Artifact, threshold: float, runner: RunnerRecord | None = None) -> SpeedFacts:
    first = _judged(context, old, threshold, 0, runner)
    return confirmed(first, _judged(context, old, threshold, 1, runner)) if first.failed else first


def _judged(context: Context, old: Artifact, threshold: float, attempt: int, runner: RunnerRecord | None) -> SpeedFacts:
    try:
        found = _measured(context, old, threshold, attempt, runner)
        gpu = context.runner.device == "cuda"
        return judged_apart(found, gpu=gpu) if runner else judged(found, threshold, gpu=gpu)
    except NavigatorError as error:
        return not_judged(str(error))


def _measured(context: Context, old: Artifact, threshold: float, attempt: int, runner: RunnerRecord | None) -> Paired:
    source = context.folder.source
    found = context.alone(
        isolated.beside,
        attempt > 0,
        old=old,
        new=Artifact(str(context.folder.path), context.variant, context.folder.signature),
        runner=context.runner,
        sample=str(context.folder.path / timed_batch(context.folder)),
        batch_size=_batch_size(source.max_batch_size, source.fixed_batch),
        threshold=threshold,
        seed=attempt,
        seconds=SHARE * context.limit,
        old_runner=runner,
    )
    return structured(found, Paired)


def _batch_size(largest: int | None, fixed: int | None) -> int | None:
    """Return the size that is measured: 1, where the model takes it; None: the sample as it is."""
    return None if largest is None else fixed or 1


def _obstacle(context: Context, old: Artifact) -> str:
    """Return why there is nothing to measure, or nothing that would tell; "" if there is."""
    if context.runner.live:
        return "the live model has no artifact in a package; stored figures are of another time"
    if context.host.options.in_process:
        return ALONE
    if not old.path.exists():
        return "the baseline does not have the artifact"
    if text := gpu.elsewhere(context, old.built_with):
        return f"the baseline's artifact was {text}"
    return _other_call(context, old) or _refused(old, context.variant)


def _other_call(context: Context, old: Artifact) -> str:
    """Return what the two cannot be called alike by."""
    own = [(spec.name, spec.dtype, len(spec.shape)) for spec in context.folder.signature.inputs]
    theirs = [(spec.name, spec.dtype, len(spec.shape)) for spec in old.signature.inputs]
    if own != theirs:
        names = (", ".join(f"{name} ({dtype}, {axes} axes)" for name, dtype, axes in each) for each in (theirs, own))
        return "the baseline's artifact takes {}, the new one {}".format(*names)
    before, now = (of.parameters for of in (old.variant, context.variant))
    changed = [name for name in MODES if before.get(name) != now.get(name)]
    values = (", ".join(f"{name}={of.get(name)!r}" for name in changed) for of in (before, now))
    return "the baseline was called with {}, the new one is with {}".format(*values) if changed else ""


def _refused(old: Artifact, own: Variant) -> str:
    """Return what parameters of a package are not for a runtime to take, but for those that are the user's own."""
    if old.variant.parameters.get("custom_args") == own.parameters.get("custom_args"):
        return ""
    try:
        check_arguments(old.variant, making=False)
        check_parameters(old.variant)
    except NavigatorError as error:
        return f"the baseline's artifact: {error}"
    return ""


def _same(context: Context, old: Artifact) -> bool:
    """Whether both are one: today's libraries run either, so that only chance could tell them apart."""
    before, now = (without_files(of.parameters) for of in (old.variant, context.variant))
    return before == now and content_at(old.path) == content_at(context.artifact())
