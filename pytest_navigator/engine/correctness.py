"""The correctness step: a runner gives the source's numbers on the user's own batches and at batch 1."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_navigator.comparison.computed import read
from pytest_navigator.comparison.correctness import failure_line, judge, table
from pytest_navigator.comparison.divergence import NOT_APPLICABLE, details, line, text
from pytest_navigator.comparison.facts import CorrectnessFacts
from pytest_navigator.comparison.precisions import coarsest
from pytest_navigator.comparison.tolerances import functions, resolve
from pytest_navigator.comparison.verdicts import where
from pytest_navigator.core.digests import digest_of
from pytest_navigator.core.facts import as_data
from pytest_navigator.core.plain import plain, structured
from pytest_navigator.core.tracebacks import users_traceback
from pytest_navigator.engine import diagnosis, evidence, gpu, isolated, vouching
from pytest_navigator.engine.active import live_runner, subject
from pytest_navigator.engine.content import content_of
from pytest_navigator.engine.context import Result
from pytest_navigator.engine.scripts import write_correctness
from pytest_navigator.engine.step_code import StepCode
from pytest_navigator.errors import StepFailed
from pytest_navigator.isolation.causes import error_line
from pytest_navigator.samples.npz import load_npz

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pytest_navigator.comparison.computed import Computed
    from pytest_navigator.comparison.tolerances import Function, Rule
    from pytest_navigator.core.plain import JSON, Parameters
    from pytest_navigator.core.records import Case, OutputReport, Signature, SuiteRecord
    from pytest_navigator.core.variants import Variant
    from pytest_navigator.engine.context import Context


def run(context: Context) -> Result:
    """Compare, judge, and tell what a failure needs to be understood.

    Raises:
        StepFailed: an output is outside of its tolerance; `data` holds the reports all the same.
    """
    context.require(*context.runner.requires)
    gpu.require_same(context)
    cases, rules = context.folder.source.cases, rules_of_step(context)
    write_correctness(context, cases, rules)
    evidence.forget(context)
    diagnosis.forget(context)
    keep = context.folder.path / ".outputs" / context.step.id
    try:
        found = _compared(context, cases, rules, keep)
        reports = _judged(context, found.outputs, cases, keep)
    finally:
        shutil.rmtree(keep, ignore_errors=True)
    facts = vouching.left_to(vouching.judges(context), replace(found, outputs=tuple(reports)))
    failed = any(report.problem for report in facts.outputs)
    kept = evidence.keep(context, facts.outputs, cases) if failed or context.host.file_config.verbose else ""
    if failed:
        raise _failure(context, facts, kept)
    data = as_data(facts)
    made = context.folder.record(context.suite.matrix.making(context.variant.key).id)
    return Result(data, facts.split, digest=made.digest_of(context.variant.key) if made else "")


def _failure(context: Context, facts: CorrectnessFacts, kept: str) -> StepFailed:
    """Return the failure, with what a diagnosis tells of it."""
    found = diagnosis.diagnose(context, facts.outputs, context.folder.source.cases, facts.rules)
    message, detail = failure_line(facts.outputs), "\n".join([table(facts.outputs), *filter(None, [facts.split]), kept])
    if found is not None:
        # The line of layers is long, and the message has it.
        detail += f"\n{details(found) if found.layers else text(found)}"
        message += f"; {line(found)}" if found.verdict != NOT_APPLICABLE else ""
    return StepFailed(message, detail, "mismatch", as_data(replace(facts, divergence=found)))


def rules_of_step(context: Context) -> dict[str, Rule]:
    """Return the rule of every output for the step's own variant and runner."""
    source = context.folder.source
    place, parameters, device = source.device, context.variant.parameters, context.runner.device
    told = {name: read(text) for name, text in source.computed_in.items()}
    computed = {name: computed_in(found, place, parameters, device) for name, found in told.items()}
    cell = context.suite.matrix.cell_id(context.variant.key, context.runner.name)
    return rules_of(context, context.variant, context.folder.signature, computed, cell)


def rules_of(
    context: Context,
    variant: Variant,
    signature: Signature,
    computed: Mapping[str, Computed] | None = None,
    cell: str = "",
) -> dict[str, Rule]:
    """Return the rule of every output for a variant.

    Args:
        computed: what source and runner compute each output in; the variant may compute in something coarser.
        cell: of the variant and a runner; "": of no runner.

    Raises:
        ConfigError: a tolerance for an output or a format that does not exist.
    """
    settings = context.suite.settings
    return resolve(
        signature.outputs,
        atol=settings.atol,
        rtol=settings.rtol,
        comparisons=settings.config.comparisons,
        precision=str(variant.parameters.get("precision", "")),
        computed=computed,
        variant_key=variant.key,
        format_name=variant.format,
        formats=_names(context),
        cell=cell,
    )


def functions_of(context: Context, variant: Variant, signature: Signature) -> dict[str, Function]:
    """Return the user's own comparison of every output that has one, for a variant."""
    return functions(
        context.suite.settings.config.comparisons,
        signature.outputs,
        variant_key=variant.key,
        format_name=variant.format,
        formats=_names(context),
    )


def computed_in(source: Computed, place: str, parameters: Parameters, device: str) -> Computed:
    """Return what an output is computed in by the coarser of source and runner (pure).

    A GPU rounds float32 products to tf32, unless an engine was told not to and the source did not run there either.

    Args:
        source: what the source computes it in.
        place: the source's device.
        parameters: of the variant.
        device: of its runner.
    """
    said = coarsest(source.precision, str(parameters.get("precision", "")))
    exact = parameters.get("precision_mode") == "single" and not place.startswith("cuda")
    rounded = device == "cuda" and not exact and said == "fp32"
    return replace(source, precision="tf32" if rounded else said)


def _names(context: Context) -> set[str]:
    """Return every name of a format that a tolerance may mention."""
    package = context.suite.package
    # A package keeps tolerances for formats that it has lost.
    variants = [*context.suite.matrix.variants.values(), *(package.suite.variants if package else ())]
    matrix = context.suite.matrix
    cells = {matrix.cell_id(*cell) for cell in matrix.cells} | (_cells(package.suite) if package else set())
    return {v.key for v in variants} | {v.format for v in variants} | set(context.host.registry.formats) | cells


def _cells(suite: SuiteRecord) -> set[str]:
    return {f"{v.key}-{suite.runners[runner].runtime}" for v in suite.variants for runner in v.runners}


def _compared(context: Context, cases: Sequence[Case], rules: dict[str, Rule], keep: Path) -> CorrectnessFacts:
    if not context.runner.live:
        found = context.isolated(isolated.correctness, **subject(context), cases=cases, rules=rules, keep=keep)
        return structured(found, CorrectnessFacts)
    from pytest_navigator.engine.checks import compare

    with live_runner(context, recording=True) as runner:
        return compare(runner, context.folder.path, cases, rules, keep)


def _judged(context: Context, reports: Sequence[OutputReport], cases: Sequence[Case], keep: Path) -> list[OutputReport]:
    """Ask the user's own functions, in this process: they cannot be sent to another."""
    own = functions_of(context, context.variant, context.folder.signature)
    return [_asked(context, r, own[r.name], cases, keep) if r.name in own else r for r in reports]


def _asked(
    context: Context, report: OutputReport, function: Function, cases: Sequence[Case], keep: Path
) -> OutputReport:
    """Ask one function about every case until it finds fault with one."""
    from pytest_navigator.samples.cases import read_output

    if report.problem:  # an output that is missing or of another shape is nothing to ask about
        return report
    spec = [o for o in context.folder.signature.outputs if o.name == report.name]
    for i, case in enumerate(cases):
        expected = read_output(context.folder.path, case, context.folder.signature)[report.name]
        actual, place = load_npz(keep / f"{i}.npz", spec)[report.name], where((case.sample, case.kind, ()))
        try:
            problem = judge(function, expected, actual)
        except Exception as error:
            text = f"{report.name}: {report.used} raised {error_line(error)}{place}"
            raise StepFailed(text, users_traceback(error), type(error).__name__) from error
        if problem:
            return replace(report, problem=problem + place, sample=case.sample, case=case.kind, index=())
    return report


def _comparing(context: Context) -> dict[str, JSON] | None:
    """Return what a comparison reads; None for one that a function of the user's judges, or that leaves its arrays."""
    cases = context.folder.source.cases
    rules = rules_of_step(context)
    if context.host.file_config.verbose or any(rule.kind == "function" for rule in rules.values()):
        return None
    files = [(case.input, case.output) for case in cases]
    digests = [[digest_of(context.folder.path / name) for name in names] for names in files]
    artifact = content_of(context, context.variant)
    left = list(vouching.judges(context))
    return {"artifact": artifact, "cases": [plain(cases), digests], "rules": plain(rules), "judges": left}


def _restore_compared(context: Context, folder: Path, data: dict[str, JSON]) -> None:
    evidence.forget(context)
    write_correctness(context, context.folder.source.cases, rules_of_step(context))


STEP = StepCode(run, _comparing, restore=_restore_compared)
