"""What our own records in status.yaml must be beyond their types, before anything is asked of them (pure).

Keys that are not here may be there: what nobody calculates with, and what later versions add.
"""

from __future__ import annotations

import math
import re
from argparse import ArgumentTypeError
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pytest_navigator.comparison.facts import CorrectnessFacts
from pytest_navigator.configuration.batch_search import parse_auto
from pytest_navigator.configuration.budgets import BOUNDS
from pytest_navigator.configuration.profile_config import ProfilerConfig
from pytest_navigator.core.facts import Facts, MakingFacts, ProfileFacts, SourceFacts, ThroughputFacts, facts_of
from pytest_navigator.core.steps import KINDS, Per, Status
from pytest_navigator.devices.built_with import BoundFacts
from pytest_navigator.errors import ConfigError
from pytest_navigator.gates.facts import BudgetFacts, QuantizationFacts, RegressionFacts
from pytest_navigator.package.layout.trees import call_problem, tree_problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pytest_navigator.core.records import Outcome, Signature, SuiteRecord, TensorSpec

Plain = Any
OptionalText = str | None
# Of a suite: what is done for each pair of them has to come to an end.
MOST_FORMATS = 256
MOST_CELLS = 512
MOST_STEPS = 10_000

MOST_AXES = 64
LARGEST_SIZE = 2**48
LONGEST_STEP = 1e9
RULES = ("close", "scaled", "equal", "share", "cosine", "snr", "function", "unchecked")
DTYPE = re.compile(r"[a-z][a-z0-9_]{0,24}(\[\w{1,5}\])?")


def _optional(*kinds: type) -> Callable[[Plain], bool]:
    return lambda value: value is None or (isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool)))


def _list_of(*kinds: type) -> Callable[[Plain], bool]:
    return lambda value: value is None or (isinstance(value, list) and all(isinstance(each, kinds) for each in value))


def _tolerance(value: Plain) -> bool:
    if isinstance(value, dict):
        return all(isinstance(name, str) and _tolerance(each) for name, each in value.items())
    return _optional(int, float)(value)


def _sizes(value: Plain) -> bool:
    try:
        return bool(parse_auto(value)) if isinstance(value, str) else _list_of(int)(value)
    except ArgumentTypeError:
        return False


def _profile(value: Plain) -> bool:
    if not isinstance(value, dict) or "measurement_mode" not in value:
        return _optional(dict)(value)
    try:
        ProfilerConfig(**value)
    except (TypeError, ConfigError):
        return False
    return True


# What settings that somebody reads have to be.
SETTINGS: Mapping[str, Callable[[Plain], bool]] = {
    **dict.fromkeys(("atol", "rtol"), _tolerance),
    **dict.fromkeys(("seed", "sample_count", "batch_dim", "decoding"), _optional(int)),
    **dict.fromkeys(("device", "keep", "save_data"), _optional(str)),
    **dict.fromkeys(("unbatched", "runtimes", "precisions", "require", "input_names", "output_names"), _list_of(str)),
    **dict.fromkeys(("comparisons", "xfail", "dynamic_axes"), _optional(dict)),
    "batch_sizes": _sizes,
    "latency_budget": _optional(int, float),
    "budgets": _list_of(str),
    "optimization_profile": _profile,
}


def in_circle(key: str, parents: Mapping[str, str | None]) -> bool:
    """Whether a format is made from itself, by itself or by way of others."""
    seen: set[str] = set()
    above = parents.get(key)
    while above is not None and above not in seen:
        seen.add(above)
        above = parents.get(above)
    return key in seen


@dataclass
class Shapes:
    """Of one input, over the samples."""

    min: list[int]
    opt: list[int]
    max: list[int]


@dataclass(frozen=True)
class ShapeFacts(Facts):
    """What packages need of the samples' shapes: all three."""

    steps = SourceFacts.steps

    profile: dict[str, Shapes] = field(default_factory=dict)


FACTS: tuple[type[Facts], ...] = (
    SourceFacts,
    ShapeFacts,
    MakingFacts,
    BoundFacts,
    CorrectnessFacts,
    ThroughputFacts,
    ProfileFacts,
    QuantizationFacts,
    RegressionFacts,
    BudgetFacts,
)
"""What is in the data of outcomes and is calculated with."""


def suite_problem(suite: SuiteRecord) -> str:
    """Return the place of the first thing that is wrong in a suite, with why; "" if nothing is."""
    return next(iter((*_too_many(suite), *_variants(suite), *_runners(suite))), "")


def _too_many(suite: SuiteRecord) -> Iterator[str]:
    cells = sum(len(variant.runners) for variant in suite.variants)
    counts = (("variants", len(suite.variants), MOST_FORMATS), ("variants", cells, MOST_CELLS))
    more = (("runners", len(suite.runners), MOST_FORMATS), ("steps", len(suite.steps), MOST_STEPS))
    for name, count, most in (*counts, *more):
        if count > most:
            yield f".{name}: {count} are more than {most}"


def _variants(suite: SuiteRecord) -> Iterator[str]:
    parents = {variant.key: variant.parent for variant in suite.variants}
    if len(parents) < len(suite.variants):
        yield ".variants: two of them have one key"
    if suite.framework not in parents:
        yield f".framework: {suite.framework!r} is no format of the package"
    for position, variant in enumerate(suite.variants):
        place = f".variants[{position}]"
        if variant.parent is not None and variant.parent not in parents:
            yield f"{place}.parent: {variant.parent!r} is no format of the package"
        if in_circle(variant.key, parents):
            yield f"{place}.parent: {variant.parent!r} is made from {variant.key!r} itself"
        yield from (f"{place}.runners: {name!r} is none" for name in variant.runners if name not in suite.runners)


def _runners(suite: SuiteRecord) -> Iterator[str]:
    for name, runner in suite.runners.items():
        if runner.name != name:
            yield f".runners[{name!r}].name: it is {runner.name!r}"


def step_problem(outcome: Outcome, suite: SuiteRecord) -> str:
    """Return what a step says of a suite that is not in it, "" if nothing is."""
    if outcome.step not in KINDS or KINDS[outcome.step].recorded:
        return f".step: {outcome.step!r} is no step"
    if problem := time_problem("started", outcome.started, outcome.duration):
        return problem
    of_model = KINDS[outcome.step].per is Per.MODEL or (KINDS[outcome.step].per is Per.GATED and not outcome.key)
    if not of_model and (problem := cell_problem(outcome, suite)):
        return problem
    if (outcome.step, outcome.status) == ("profile", Status.PASSED) and not facts_of(outcome, ProfileFacts).result:
        return ".data.result: required field missing"
    if problem := limit_problem(facts_of(outcome, BudgetFacts)):
        return f".data.{problem}"
    rules = (name for name, rule in facts_of(outcome, CorrectnessFacts).rules.items() if rule.kind not in RULES)
    return next((f".data.rules[{name!r}].kind: no rule is called that" for name in rules), "")


def limit_problem(limit: BudgetFacts) -> str:
    """Return what cannot be in the verdict on a budget, "" if all can."""
    if limit.bound and limit.bound not in BOUNDS:
        return f"bound: no limit is called {limit.bound[:40]!r}"
    wrong = next((value for value in (limit.allowed, *limit.values) if not math.isfinite(value)), None)
    return "" if wrong is None else f"values: {wrong} is none"


def cell_problem(outcome: Outcome, suite: SuiteRecord) -> str:
    """Return that an outcome is of a format or a runner that the suite does not have, "" if it has them."""
    if all(variant.key != outcome.key for variant in suite.variants):
        return f".key: {outcome.key!r} is no format of the package"
    if (KINDS[outcome.step].with_runner or KINDS[outcome.step].gate) and outcome.runner not in suite.runners:
        return f".runner: {outcome.runner!r} is no runner of the package"
    return ""


def time_problem(name: str, text: str, duration: float) -> str:
    """Return why something did not begin at a time and last for so many seconds; a time may not be known."""
    if not duration <= LONGEST_STEP:
        return f".duration: {duration} s is none"
    try:
        known = datetime.fromisoformat(text) if text else datetime(2000, 1, 1)
    except ValueError:
        known = datetime(1, 1, 1)
    return "" if 1970 < known.year < 9000 else f".{name}: {text!r} is no time"


def signature_problem(signature: Signature) -> str:
    """Return the place of the first thing that is wrong in a signature, with why; "" if nothing is."""
    sides = (("inputs", signature.inputs), ("outputs", signature.outputs))
    for side, specs in sides:
        for position, spec in enumerate(specs):
            if problem := _tensor_problem(spec):
                return f".{side}[{position}]{problem}"
    if signature.batch_dim is not None and not 0 <= signature.batch_dim < MOST_AXES:
        return f".batch_dim: {signature.batch_dim} is no axis"
    if problem := call_problem(signature.input_tree, [spec.name for spec in signature.inputs]):
        return f".input_tree{problem}"
    problem = tree_problem(signature.output_tree, [spec.name for spec in signature.outputs])
    return f".output_tree{problem}" if problem else ""


def _tensor_problem(spec: TensorSpec) -> str:
    if not DTYPE.fullmatch(spec.dtype):
        return f".dtype: {spec.dtype[:40]!r} is no type of numbers or text"
    if len(spec.shape) > MOST_AXES or not all(-1 <= size < LARGEST_SIZE for size in spec.shape):
        return f".shape: {list(spec.shape)[:MOST_AXES]} is none"
    if not all(0 <= axis < len(spec.shape) for axis in spec.axes):
        return ".axes: one of them is no axis of its shape"
    return ""
