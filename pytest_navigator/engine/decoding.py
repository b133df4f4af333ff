"""The decoding step: a runner generates as it is used, each step with what the one before gave, as the source did."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_navigator.comparison.correctness import failure_line, table
from pytest_navigator.comparison.facts import CorrectnessFacts
from pytest_navigator.comparison.generation import generation_of
from pytest_navigator.core.digests import digest_of
from pytest_navigator.core.facts import as_data
from pytest_navigator.core.plain import plain, structured
from pytest_navigator.engine import gpu, isolated
from pytest_navigator.engine.active import live_runner, subject
from pytest_navigator.engine.content import content_of
from pytest_navigator.engine.context import Result
from pytest_navigator.engine.correctness import rules_of_step
from pytest_navigator.engine.step_code import StepCode
from pytest_navigator.engine.vouching import known_rules
from pytest_navigator.errors import StepFailed

if TYPE_CHECKING:
    from pytest_navigator.core.plain import JSON
    from pytest_navigator.core.records import Case
    from pytest_navigator.engine.context import Context


TOKENS = "tokens"  # Type of the failure, in the record


def run(context: Context) -> Result:
    """Generate, and compare tokens and outputs of every step with the source's.

    Raises:
        StepFailed: a token is another one, or an output outside of its tolerance; `data` holds the reports too.
    """
    context.require(*context.runner.requires)
    gpu.require_same(context)
    cases = _steps(context)
    found, problem = _decoded(context, cases)
    wrong = "; ".join(filter(None, (problem, failure_line(found.outputs))))
    if wrong:
        # No other tolerance makes another token the source's.
        raise StepFailed(wrong, table(found.outputs), TOKENS if problem else "mismatch", as_data(found))
    ties = f"{found.ties} of {found.tokens} tokens are not the source's, and as good as these" if found.ties else ""
    return Result(as_data(found), message=ties)


def _steps(context: Context) -> list[Case]:
    """Return the prefill and the steps after it: the loader's first samples.

    Raises:
        StepFailed: one of them was not kept.
    """
    count = (context.suite.settings.config.decoding or 0) + 1
    kept = {case.sample: case for case in context.folder.source.cases if case.kind == "batch"}
    for index in range(count):
        if index not in kept:
            raise StepFailed(
                f"decoding={count - 1}: sample {index} of the loader is not kept or not there; the first {count} are "
                "the prefill and the steps: give that many, and let sample_count and max_sample_bytes keep them"
            )
    return [replace(kept[index], kind=f"decoding step {index}" if index else "prefill") for index in range(count)]


def _decoded(context: Context, cases: list[Case]) -> tuple[CorrectnessFacts, str]:
    rules, generation = known_rules(context, rules_of_step(context)), generation_of(context.folder.signature)
    if not context.runner.live:
        found: Any = context.isolated(
            isolated.decoding, **subject(context), cases=cases, rules=rules, generation=list(generation)
        )
        return structured(found[0], CorrectnessFacts), str(found[1])
    from pytest_navigator.engine.checks import decode

    with live_runner(context) as runner:
        return decode(runner, context.folder.path, cases, rules, generation)


def _decoding(context: Context) -> dict[str, JSON]:
    """Return what a generation depends on."""
    cases = _steps(context)
    files = [[digest_of(context.folder.path / name) for name in (case.input, case.output)] for case in cases]
    artifact = content_of(context, context.variant)
    return {"artifact": artifact, "cases": [plain(cases), files], "rules": plain(rules_of_step(context))}


STEP = StepCode(run, _decoding)
