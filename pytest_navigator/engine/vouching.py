"""What is left to the user's own `verify_` tests: the noise of a quantized output, which a default only guesses at."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_navigator.comparison.facts import CorrectnessFacts
from pytest_navigator.comparison.precisions import SIGNAL
from pytest_navigator.comparison.tolerances import unchecked
from pytest_navigator.core.facts import facts_of
from pytest_navigator.core.steps import step_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_navigator.comparison.tolerances import Rule
    from pytest_navigator.core.records import OutputReport
    from pytest_navigator.engine.context import Context

PARAMETERS = re.compile(r"\[.*$", re.DOTALL)  # Of a node id, and all after them


def judges(context: Context) -> tuple[str, ...]:
    """Return the names of the `verify_` tests that this run has selected for the step's format and runner.

    The manifest of the suite has them: of a run of pytest what was collected, of `optimize` its `verify_func`.
    """
    if context.variant.parameters.get("precision") not in SIGNAL:
        return ()
    cell = (context.step.key, context.step.runner)
    selected = context.host.verifying
    found = [node for node, of in context.folder.suite.verify.items() if tuple(of) == cell]
    found = [node for node in found if selected is None or node in selected]
    return tuple(dict.fromkeys(PARAMETERS.sub("", node).rpartition("::")[2] for node in found))


def known_rules(context: Context, rules: Mapping[str, Rule]) -> dict[str, Rule]:
    """Return the rules of a step after the correctness of its cell, which has left some outputs to `verify_` tests."""
    checked = context.folder.record(step_id("correctness", context.step.key, context.step.runner))
    recorded = facts_of(checked, CorrectnessFacts).rules
    left = {name for name, rule in rules.items() if rule.is_default and name in recorded}
    return {name: recorded[name] if name in left else rule for name, rule in rules.items()}


def left_to(names: tuple[str, ...], facts: CorrectnessFacts) -> CorrectnessFacts:
    """Return the facts with each output unchecked that is noisier than a default allows, and nothing else.

    So the run is right only if those tests pass, as with what the user has left unchecked.

    Args:
        names: of the tests; none: nothing is left to anybody.
    """
    own = {report.name: report for report in facts.outputs if names and _is_noise(report, facts)}
    if not own:
        return facts
    rules = {n: replace(unchecked(_reason(names, own[n])), signal=True, vouching=True) for n in own}
    passed = {name: replace(report, problem="", suggestion="", used=rules[name].text) for name, report in own.items()}
    outputs = tuple(passed.get(report.name, report) for report in facts.outputs)
    return replace(facts, outputs=outputs, rules=facts.rules | rules)


def _is_noise(report: OutputReport, facts: CorrectnessFacts) -> bool:
    rule = facts.rules.get(report.name)
    return bool(report.problem) and not report.broken and rule is not None and rule.is_default


def _reason(names: tuple[str, ...], report: OutputReport) -> str:
    return f"judged by {', '.join(names)}: {report.problem.partition(';')[0]}"
