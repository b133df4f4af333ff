"""The quantization step: what a format with fewer digits loses, and whether it is faster and smaller for that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.comparison.facts import output_reports
from pytest_navigator.configuration.settings import with_origin
from pytest_navigator.core.digests import size_of
from pytest_navigator.core.facts import MakingFacts, as_data, facts_of
from pytest_navigator.core.steps import step_id
from pytest_navigator.engine import speed
from pytest_navigator.engine.beside import Artifact
from pytest_navigator.engine.context import Result
from pytest_navigator.engine.step_code import StepCode
from pytest_navigator.errors import StepFailed
from pytest_navigator.gates.facts import NOT_WORTH, QuantizationFacts, SpeedFacts
from pytest_navigator.gates.quantization import evidence, failure, worst
from pytest_navigator.gates.speed import not_judged

if TYPE_CHECKING:
    from pytest_navigator.core.variants import RunnerRecord, Variant
    from pytest_navigator.engine.context import Context

ALLOWED = {"allow_slower": "slower", "allow_larger": "larger"}


def run(context: Context) -> Result:
    """Judge; what is slower or larger than the format that it is made beside raises StepFailed."""
    facts = judged(context)
    if text := failure(facts):
        raise StepFailed(text, evidence(facts), NOT_WORTH, as_data(facts))
    return Result(as_data(facts))


def judged(context: Context) -> QuantizationFacts:
    """Return what is recorded of the accuracy, and what both artifacts take."""
    variant = context.variant
    reference = context.suite.matrix.variants[variant.reference]
    checked = context.folder.record(step_id("correctness", variant.key, context.step.runner))
    report = worst(output_reports(checked) if checked else ())
    said = variant.parameters.get("quantization") or {}
    return QuantizationFacts(
        reference=reference.key,
        output=report.name if report else "",
        snr=report.snr if report else None,
        cosine=report.cosine if report else None,
        bytes=_bytes(context, variant),
        reference_bytes=_bytes(context, reference),
        speed=_speed(context, reference),
        allowed=tuple(word for name, word in ALLOWED.items() if said.get(name)),
    )


def _bytes(context: Context, variant: Variant) -> int | None:
    found = facts_of(context.folder.record(context.suite.matrix.making(variant.key).id), MakingFacts).bytes
    if found is not None and context.suite.matrix.making(variant.key).key == variant.key:
        return found
    path = context.artifact(variant)
    return size_of(path) if variant.file and path.exists() else None


def _speed(context: Context, reference: Variant) -> SpeedFacts:
    """Measure beside the reference, in its own runner of the same kind of device."""
    if not context.suite.matrix.batches:
        return not_judged(with_origin(context.suite.settings, "profile"))
    runner = _runner(context, reference)
    if runner is None:
        return not_judged(f"no runner of {reference.key} on {context.runner.device} is part of this run")
    if context.host.command_of(context.suite.settings, reference.format) != context.command:
        return not_judged(f"{reference.key} runs in another interpreter")
    if lacking := context.missing(runner.requires):
        return not_judged(f"{runner.name}: {lacking}")
    return speed.beside(context, Artifact(str(context.folder.path), reference, context.folder.signature), runner)


def _runner(context: Context, reference: Variant) -> RunnerRecord | None:
    """Return what runs the reference as the step's own runner does its artifact: by name, else by runtime or device."""
    matrix, own = context.suite.matrix, context.runner
    known = [matrix.runners[name] for name in matrix.runners_of(reference.key)]
    usable = [each for each in known if each.device == own.device and not each.live]
    usable.sort(key=lambda each: (each.name != own.name, each.runtime != own.runtime))
    return next(iter(usable), None)


STEP = StepCode(run)
