"""What people calculate with, and what paths follow from, in our own part of status.yaml (pure).

The rest is read as the records that it was written from.
"""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field
from typing import TYPE_CHECKING
from typing import Any
from typing import NewType

if TYPE_CHECKING:
    from collections.abc import Mapping

Plain = Any
OptionalText = str | None
Measure = NewType("Measure", float)
"""A latency, a throughput, a size of memory: not negative."""


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
    contention: float | None = None
    peak_memory: Measure | None = None
    peak_gpu_memory: Measure | None = None
    copy_latency: Measure | None = None


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
    note: str = ""


@dataclass
class Found:
    """What a step found out."""

    result: Figures | None = None
    outputs: list[Compared] = field(default_factory=list)
    rules: dict[str, Judged] = field(default_factory=dict)


@dataclass
class Step:
    """How one of our steps ended."""

    step: str = ""
    status: str = ""
    duration: Measure = Measure(0.0)
    data: Found = field(default_factory=Found)


@dataclass
class Variant:
    """One format of ours."""

    key: str
    format: str
    file: str
    parent: OptionalText = None
    runners: list[str] = field(default_factory=list)


@dataclass
class Suite:
    """Ours, as far as paths follow from it."""

    variants: list[Variant] = field(default_factory=list)
    provided: list[str] = field(default_factory=list)

    def wrong_parent(self) -> str:
        """Return the place of the first format that is made from one that is not there, or from itself, with why."""
        parents = {variant.key: variant.parent for variant in self.variants}
        for position, variant in enumerate(self.variants):
            place = f"suite.variants[{position}].parent: {variant.parent!r}"
            if variant.parent is not None and variant.parent not in parents:
                return f"{place} is no format of the package"
            if in_circle(variant.key, parents):
                return f"{place} is made from {variant.key!r} itself"
        return ""


@dataclass
class Commit:
    """Of the user's repository."""

    commit: str
    dirty: bool | None = None


@dataclass
class Own:
    """Our part, as far as reading a package needs it."""

    version: str = ""
    complete: bool = True
    files: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    git: Commit | None = None
    suite: Suite | None = None
    steps: dict[str, Step] = field(default_factory=dict)
    others: list[Step] = field(default_factory=list)

    def problem(self) -> str:
        """Return the first thing that is wrong although its type is right, with its place; "" if there is none."""
        wrong = self.suite.wrong_parent() if self.suite else ""
        return wrong or self._unmeasured()

    def _unmeasured(self) -> str:
        steps = [(f"steps[{name!r}]", step) for name, step in self.steps.items()]
        steps += [(f"others[{position}]", step) for position, step in enumerate(self.others)]
        passed = ((place, step) for place, step in steps if (step.step, step.status) == ("profile", "passed"))
        return next(
            (f"{place}.data.result: required field missing" for place, step in passed if not step.data.result), ""
        )
