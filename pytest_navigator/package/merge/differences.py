"""What is different between two packages."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, TypeGuard

from pytest_navigator.comparison.facts import output_reports
from pytest_navigator.comparison.tolerances import number
from pytest_navigator.core.facts import profile_result
from pytest_navigator.core.steps import Status
from pytest_navigator.package.merge.same_model import other_outputs
from pytest_navigator.package.query.selection import artifact_names
from pytest_navigator.profiling.figures import caveat

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pytest_navigator.core.plain import JSON
    from pytest_navigator.core.records import Outcome
    from pytest_navigator.package.container.reader import PackageFile
    from pytest_navigator.package.query.results import Results

ABSENT = "-"
OUTPUTS = "outputs"

# What a difference means: an improvement fails nothing, and a disturbed figure tells nothing of the model.
DIFFERENT, BETTER, DISTURBED = "different", "better", "disturbed, not compared"


@dataclass(frozen=True)
class Difference:
    """One thing that is not the same.

    Attributes:
        topic: "format", "outcome", "tolerance", "latency", "size", "model", "signature" or "environment".
        subject: what it is about: "onnx", "correctness onnx OnnxCPU logits", "python_packages.torch".
        before, after: as plain data, None where one package has no such thing. Of the model's outputs on the same
            samples, `after` is name -> largest difference, None for one of another shape or type.
        verdict: "different", "better" or "disturbed, not compared".
    """

    topic: str
    subject: str
    before: JSON
    after: JSON
    verdict: str = DIFFERENT

    @property
    def counts(self) -> bool:
        """Whether the second package is not as good as the first, or another one."""
        return self.verdict == DIFFERENT

    def plain(self) -> dict[str, JSON]:
        """Return it as plain data."""
        return asdict(self)

    def line(self) -> str:
        """Return it for people."""
        if (self.topic, self.subject) == ("model", OUTPUTS) and isinstance(self.after, dict):
            told = (f"{name} {_distance(value)}" for name, value in self.after.items())
            return f"model: {OUTPUTS}: {', '.join(told)}"
        if self.topic == "format":
            return f"format {'gained' if self.before is None else 'lost'}: {self.subject}{_said(self)}"
        change = f"{_text(self.topic, self.before)} -> {_text(self.topic, self.after)}"
        return f"{self.topic}: {self.subject}: {change}{_ratio(self)}{_said(self)}"


def differences(
    first: tuple[PackageFile, Results], second: tuple[PackageFile, Results], threshold: float
) -> list[Difference]:
    """Return what the second package has otherwise than the first.

    Args:
        threshold: by what share p50 latencies must differ to count: no two runs measure the same.
    """
    found = []
    disturbed = {**_disturbed(first[1]), **_disturbed(second[1])}
    for topic, values in VALUES.items():
        before, after = values(*first), values(*second)
        for subject in dict.fromkeys([*before, *after]):
            each = Difference(topic, subject, before.get(subject), after.get(subject))
            if each.before != each.after and not _within(each, threshold):
                found.append(replace(each, verdict=_verdict(each, disturbed)))
        if topic == "model":
            found += _other_outputs(first, second)
    return found


def _other_outputs(first: tuple[PackageFile, Results], second: tuple[PackageFile, Results]) -> list[Difference]:
    # The parameters may be the same, and what is computed from them not.
    reports = other_outputs(first, second)
    largest = {each.name: each.atol if 0 < each.atol < math.inf else None for each in reports}
    return [Difference("model", OUTPUTS, None, largest)] if largest else []


def _verdict(each: Difference, disturbed: Mapping[str, str]) -> str:
    if each.topic == "latency" and each.subject in disturbed and None not in (each.before, each.after):
        return DISTURBED
    better = IMPROVES.get(each.topic)
    return BETTER if better and better(each.before, each.after) else DIFFERENT


def _less(before: JSON, after: JSON) -> bool:
    # A figure of what is new says nothing against it.
    return before is None or (_is_figure(before) and _is_figure(after) and after < before)


def _is_figure(value: JSON) -> TypeGuard[float]:
    return isinstance(value, int | float)


# Topic -> whether what is different is an improvement; of any other topic nobody can tell.
IMPROVES: Mapping[str, Callable[[JSON, JSON], bool]] = {
    "format": lambda before, after: before is None,
    "outcome": lambda before, after: after == Status.PASSED,
    "tolerance": _less,
    "latency": _less,
    "size": _less,
}


def _within(each: Difference, threshold: float) -> bool:
    before, after = each.before, each.after
    if each.topic != "latency" or not _is_figure(before) or not _is_figure(after):
        return False
    return abs(after - before) <= threshold * before


def _formats(package: PackageFile, results: Results) -> dict[str, JSON]:
    made = ((v.key, results.made(v.key)) for v in results.suite.variants if v.file)
    return {key: "made" for key, outcome in made if outcome and outcome.passed}


def _outcomes(package: PackageFile, results: Results) -> dict[str, JSON]:
    # Figures and files have topics of their own.
    steps = (o for o in results.outcomes if o.step != "profile")
    return {o.notes.nodeid or o.id: str(o.status) for o in steps}


def _tolerances(package: PackageFile, results: Results) -> dict[str, JSON]:
    return {
        f"{_cell(o)} {report.name}": float(f"{report.atol:.1e}")  # the last digits differ from run to run
        for o in results.outcomes
        if o.step == "correctness"
        for report in output_reports(o)
    }


def _distance(value: JSON) -> str:
    return f"max abs {number(value)}" if isinstance(value, float) else "of another shape or type"


def _latencies(package: PackageFile, results: Results) -> dict[str, JSON]:
    measured = (o for o in results.outcomes if o.step == "profile" and o.passed)
    return {f"{_cell(o)} {o.batch}": profile_result(o).p50_latency for o in measured}


def _disturbed(results: Results) -> dict[str, str]:
    measured = (o for o in results.outcomes if o.step == "profile" and o.passed)
    found = {f"{_cell(o)} {o.batch}": caveat(profile_result(o)) for o in measured}
    return {subject: text for subject, text in found.items() if text}


def _cell(outcome: Outcome) -> str:
    return f"{outcome.key} {outcome.runner}"


def _sizes(package: PackageFile, results: Results) -> dict[str, JSON]:
    files = package.files()
    found = {v.key: artifact_names(files, v.key) for v in results.suite.variants if v.file}
    return {key: sum(map(package.size, names)) for key, names in found.items() if names}


def _signature(package: PackageFile, results: Results) -> dict[str, JSON]:
    if results.signature is None:
        return {}
    sides = (("input", results.signature.inputs), ("output", results.signature.outputs))
    return {f"{side} {spec.name}": f"{spec.dtype}{list(spec.shape)}" for side, specs in sides for spec in specs}


def _leaves(path: str, value: JSON) -> Iterator[tuple[str, JSON]]:
    if not isinstance(value, dict):
        if value is not None:  # a machine without a GPU
            yield path, value
        return
    for name, inner in value.items():
        yield from _leaves(f"{path}.{name}" if path else str(name), inner)


# What is compared: topic -> subject -> value, in the order of the report.
VALUES: Mapping[str, Callable[[PackageFile, Results], dict[str, JSON]]] = {
    "model": lambda package, results: {"fingerprint": results.source_facts.fingerprint},
    "signature": _signature,
    "format": _formats,
    "outcome": _outcomes,
    "tolerance": _tolerances,
    "latency": _latencies,
    "size": _sizes,
    "environment": lambda package, results: dict(_leaves("", package.status.get("environment") or {})),
}

UNITS = {"latency": " ms", "size": " B"}
FIGURES: Mapping[str, Callable[[float], str]] = {"tolerance": number, "latency": "{:.4g}".format}
"""How the figures of a topic are written, if not as they are."""


def _text(topic: str, value: JSON) -> str:
    if value is None:
        return ABSENT
    shown = FIGURES[topic](value) if topic in FIGURES and _is_figure(value) else str(value)
    return f"{shown}{UNITS.get(topic, '')}"


def _said(each: Difference) -> str:
    if each.verdict == BETTER:
        return "" if each.before is None else f" ({BETTER})"
    return f": {each.verdict}" if each.verdict == DISTURBED else ""


def _ratio(each: Difference) -> str:
    before, after = each.before, each.after
    if each.topic not in UNITS or not _is_figure(before) or not _is_figure(after) or each.verdict == DISTURBED:
        return ""
    return f" ({after / before - 1:+.0%})" if before and after else ""
