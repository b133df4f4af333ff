"""What our own records in status.yaml must be, before anything is asked of them (pure).

Keys that are not here may be there: what nobody calculates with, and what later versions add.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from dataclasses import field
from datetime import datetime
from typing import TYPE_CHECKING
from typing import Any
from typing import NewType

from pytest_navigator.configuration.profile_config import ProfilerConfig
from pytest_navigator.errors import ConfigError
from pytest_navigator.package.trees import call_problem
from pytest_navigator.package.trees import tree_problem
from pytest_navigator.records import RunnerRecord
from pytest_navigator.records import Status
from pytest_navigator.records import TensorSpec

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterator
    from collections.abc import Mapping

Plain = Any
OptionalText = str | None
Measure = NewType("Measure", float)
"""A latency, a throughput, a size of memory: not negative."""

MOST_FORMATS = 256
MOST_CELLS = 512
MOST_STEPS = 10_000
"""Of a suite: what is done for each pair of them has to come to an end."""

MOST_AXES = 64
LARGEST_SIZE = 2**48
LONGEST_STEP = 1e9
STEPS = ("source", "export", "convert", "correctness", "profile")
WITH_RUNNER = ("correctness", "profile")
RULES = ("close", "scaled", "equal", "share", "cosine", "function", "unchecked")
DTYPE = re.compile(r"[a-z][a-z0-9_]{0,24}(\[\w{1,5}\])?")


def _optional(*kinds: type) -> Callable[[Plain], bool]:
    return lambda value: value is None or (isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool)))


def _list_of(*kinds: type) -> Callable[[Plain], bool]:
    return lambda value: value is None or (isinstance(value, list) and all(isinstance(each, kinds) for each in value))


def _tolerance(value: Plain) -> bool:
    if isinstance(value, dict):
        return all(isinstance(name, str) and _tolerance(each) for name, each in value.items())
    return _optional(int, float)(value)


def _profile(value: Plain) -> bool:
    if not isinstance(value, dict) or "measurement_mode" not in value:
        return _optional(dict)(value)
    try:
        ProfilerConfig(**value)
    except (TypeError, ConfigError):
        return False
    return True


SETTINGS: Mapping[str, Callable[[Plain], bool]] = {
    **dict.fromkeys(("atol", "rtol"), _tolerance),
    **dict.fromkeys(("seed", "sample_count", "batch_dim"), _optional(int)),
    **dict.fromkeys(("device", "keep", "save_data"), _optional(str)),
    **dict.fromkeys(("unbatched", "runtimes", "precisions", "require", "input_names", "output_names"), _list_of(str)),
    **dict.fromkeys(("comparisons", "xfail", "dynamic_axes"), _optional(dict)),
    "batch_sizes": _list_of(int),
    "optimization_profile": _profile,
}
"""What settings that somebody reads have to be."""


def in_circle(key: str, parents: Mapping[str, str | None]) -> bool:
    """Whether a format is made from itself, by itself or by way of others."""
    seen: set[str] = set()
    above = parents.get(key)
    while above is not None and above not in seen:
        seen.add(above)
        above = parents.get(above)
    return key in seen


@dataclass
class Figures:
    """Our figures of one batch size."""

    batch_size: int | None
    avg_latency: Measure
    std_latency: Measure
    p50_latency: Measure
    p90_latency: Measure
    p95_latency: Measure
    p99_latency: Measure
    throughput: Measure
    request_count: int
    sample_id: int = 0
    avg_gpu_clock: float | None = None
    stability: str = "stable"
    windows: int = 0
    contention: float | None = None
    peak_memory: Measure | None = None
    peak_gpu_memory: Measure | None = None
    copy_latency: Measure | None = None
    latencies: list[float] = field(default_factory=list)
    window_means: list[float] = field(default_factory=list)


@dataclass
class Compared:
    """How far one output is off."""

    name: str
    atol: float
    rtol: float


@dataclass
class Judged:
    """By what one output was judged."""

    kind: str
    atol: float = 0.0
    rtol: float = 0.0
    minimum: float = 0.0
    note: str = ""


@dataclass
class Library:
    """What built an engine."""

    name: str
    version: str
    parts: int | None = 2
    later: bool = False


@dataclass
class BuiltWith:
    """Where an engine was built."""

    gpu: str
    compute_capability: str
    driver: str
    cuda: str
    library: Library
    capabilities: list[str] = field(default_factory=list)


@dataclass
class Shapes:
    """Of one input, over the samples."""

    min: list[int]
    opt: list[int]
    max: list[int]


@dataclass
class Found:
    """What a step found out."""

    result: Figures | None = None
    outputs: list[Compared] = field(default_factory=list)
    rules: dict[str, Judged] = field(default_factory=dict)
    built_with: BuiltWith | None = None
    brought: dict[str, BuiltWith] = field(default_factory=dict)
    artifacts: dict[str, str] = field(default_factory=dict)
    profile: dict[str, Shapes] | None = None
    max_batch_size: int | None = None
    opset: int | None = None
    fingerprint: OptionalText = None
    observed: OptionalText = None
    changing: list[str] = field(default_factory=list)
    machine: str = ""
    nodeid: str = ""
    cached: str = ""
    carried: str = ""
    profiling_batch: OptionalText = None
    timed_batch: OptionalText = None


@dataclass
class Step:
    """How one of our steps ended."""

    step: str
    status: Status
    key: str = ""
    runner: str = ""
    batch: str = ""
    message: str = ""
    detail: str = ""
    requirement: str = ""
    cause: str = ""
    error: str = ""
    duration: Measure = Measure(0.0)
    started: str = ""
    identity: str = ""
    digest: str = ""
    data: Found = field(default_factory=Found)

    @property
    def id(self) -> str:
        """As `records.step_id` writes it."""
        return ".".join(part for part in (self.step, self.key, self.runner, self.batch) if part)

    def wrong(self, suite: Suite) -> str:
        """Return what it says of a suite that is not in it, "" if nothing is."""
        if self.step not in STEPS:
            return f".step: {self.step!r} is no step"
        if problem := _time_problem("started", self.started, self.duration):
            return problem
        if self.step != "source" and self.key not in suite.keys:
            return f".key: {self.key!r} is no format of the package"
        if self.step in WITH_RUNNER and self.runner not in suite.runners:
            return f".runner: {self.runner!r} is no runner of the package"
        if (self.step, self.status) == ("profile", Status.PASSED) and not self.data.result:
            return ".data.result: required field missing"
        rules = (name for name, rule in self.data.rules.items() if rule.kind not in RULES)
        return next((f".data.rules[{name!r}].kind: no rule is called that" for name in rules), "")


@dataclass
class Verification:
    """What a user's test, or `set_verified`, said of a format."""

    nodeid: str
    key: str
    runner: str
    status: Status
    message: str
    digest: str
    time: str
    duration: Measure = Measure(0.0)
    error: str = ""
    data: Found = field(default_factory=Found)

    def wrong(self, suite: Suite) -> str:
        """Return what it says of a suite that is not in it, "" if nothing is."""
        if self.key not in suite.keys:
            return f".key: {self.key!r} is no format of the package"
        if self.runner not in suite.runners:
            return f".runner: {self.runner!r} is no runner of the package"
        return _time_problem("time", self.time, self.duration)


def _time_problem(name: str, text: str, duration: float) -> str:
    """Return why something did not begin at a time and last for so many seconds; a time may not be known."""
    if not duration <= LONGEST_STEP:
        return f".duration: {duration} s is none"
    try:
        known = datetime.fromisoformat(text) if text else datetime(2000, 1, 1)
    except ValueError:
        known = datetime(1, 1, 1)
    return "" if 1970 < known.year < 9000 else f".{name}: {text!r} is no time"


@dataclass
class Variant:
    """One format of ours."""

    key: str
    format: str
    file: str
    parent: OptionalText = None
    parameters: dict[str, Plain] = field(default_factory=dict)
    runners: list[str] = field(default_factory=list)


@dataclass
class Suite:
    """Ours: formats, runners and steps."""

    name: str
    nodeid: str
    framework: str
    variants: list[Variant]
    runners: dict[str, RunnerRecord]
    steps: list[str] = field(default_factory=list)
    implied: list[str] = field(default_factory=list)
    named: list[str] = field(default_factory=list)
    provided: list[str] = field(default_factory=list)
    verify: dict[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def keys(self) -> set[str]:
        """Of the formats."""
        return {variant.key for variant in self.variants}

    def wrong(self) -> str:
        """Return the place of the first thing that is wrong, with why; "" if nothing is."""
        return next(iter((*self._too_many(), *self._variants(), *self._runners())), "")

    def _too_many(self) -> Iterator[str]:
        cells = sum(len(variant.runners) for variant in self.variants)
        counts = (("variants", len(self.variants), MOST_FORMATS), ("variants", cells, MOST_CELLS))
        more = (("runners", len(self.runners), MOST_FORMATS), ("steps", len(self.steps), MOST_STEPS))
        for name, count, most in (*counts, *more):
            if count > most:
                yield f".{name}: {count} are more than {most}"

    def _variants(self) -> Iterator[str]:
        parents = {variant.key: variant.parent for variant in self.variants}
        if len(parents) < len(self.variants):
            yield ".variants: two of them have one key"
        if self.framework not in parents:
            yield f".framework: {self.framework!r} is no format of the package"
        for position, variant in enumerate(self.variants):
            place = f".variants[{position}]"
            if variant.parent is not None and variant.parent not in parents:
                yield f"{place}.parent: {variant.parent!r} is no format of the package"
            if in_circle(variant.key, parents):
                yield f"{place}.parent: {variant.parent!r} is made from {variant.key!r} itself"
            yield from (f"{place}.runners: {name!r} is none" for name in variant.runners if name not in self.runners)

    def _runners(self) -> Iterator[str]:
        for name, runner in self.runners.items():
            if runner.name != name:
                yield f".runners[{name!r}].name: it is {runner.name!r}"


@dataclass
class Signature:
    """What goes into the model and what comes out."""

    inputs: list[TensorSpec]
    outputs: list[TensorSpec]
    input_tree: Plain
    output_tree: Plain
    batch_dim: int | None
    array_type: str

    def wrong(self) -> str:
        """Return the place of the first thing that is wrong, with why; "" if nothing is."""
        sides = (("inputs", self.inputs), ("outputs", self.outputs))
        for side, specs in sides:
            for position, spec in enumerate(specs):
                if problem := _tensor_problem(spec):
                    return f".{side}[{position}]{problem}"
        if self.batch_dim is not None and not 0 <= self.batch_dim < MOST_AXES:
            return f".batch_dim: {self.batch_dim} is no axis"
        if problem := call_problem(self.input_tree, [spec.name for spec in self.inputs]):
            return f".input_tree{problem}"
        problem = tree_problem(self.output_tree, [spec.name for spec in self.outputs])
        return f".output_tree{problem}" if problem else ""


def _tensor_problem(spec: TensorSpec) -> str:
    if not DTYPE.fullmatch(spec.dtype):
        return f".dtype: {spec.dtype[:40]!r} is no type of numbers or text"
    if len(spec.shape) > MOST_AXES or not all(-1 <= size < LARGEST_SIZE for size in spec.shape):
        return f".shape: {list(spec.shape)[:MOST_AXES]} is none"
    if not all(0 <= axis < len(spec.shape) for axis in spec.axes):
        return ".axes: one of them is no axis of its shape"
    return ""
