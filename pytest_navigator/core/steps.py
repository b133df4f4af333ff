"""Steps, and their kinds: what each is called, what there is one of, and what comes before it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from pytest_navigator.core.records import step_id

# What a step comes after: the making of what its variant is made from, or of the variant itself.
PARENT, VARIANT = "parent", "variant"


class Per(Enum):
    """What there is one step of."""

    MODEL = "model"
    EXPORTED = "exported"
    CONVERTED = "converted"
    RUNNER = "runner"
    BATCH = "batch"


class StepKind(NamedTuple):
    """One kind of step; what it runs is said once more, in `engine.steps`.

    Attributes:
        title: what Model Navigator writes in its log.
        after: PARENT, VARIANT, or the name of a kind that the same cell passes first; "": nothing.
        script: Model Navigator's word in the names of scripts; "": it has none.
        cached: whether `--nav-cache` keeps it; None: only for who asks for it.
        measures: whether it wants the machine for itself.
        recorded: whether a test of the user's records it, and no run makes it.
    """

    name: str
    title: str
    per: Per
    after: str = ""
    script: str = ""
    cached: bool | None = False
    measures: bool = False
    recorded: bool = False

    @property
    def with_runner(self) -> bool:
        """Whether each such step is one of a runner."""
        return self.per in (Per.RUNNER, Per.BATCH)

    @property
    def makes(self) -> bool:
        """Whether it makes an artifact."""
        return self.per in (Per.EXPORTED, Per.CONVERTED)


# By name, in the order in which they are made.
KINDS = {
    kind.name: kind
    for kind in (
        StepKind("source", "Fetch input model data", Per.MODEL),
        StepKind("export", "Export {source} to {format}", Per.EXPORTED, PARENT, "export"),
        StepKind("convert", "Convert {parent} to {format}", Per.CONVERTED, PARENT, "conversion", cached=True),
        StepKind("correctness", "Correctness {source} to {format}", Per.RUNNER, VARIANT, "correctness", cached=True),
        # A measurement is cached for who asks for it only: it says how fast this machine was then.
        StepKind("profile", "Performance {format}", Per.BATCH, "correctness", "profiling", cached=None, measures=True),
        StepKind("verify", "Verify {format}", Per.RUNNER, VARIANT, recorded=True),
    )
}

PLANNED = tuple(kind for kind in KINDS.values() if not kind.recorded)  # Those that a run makes

CACHED = tuple(kind.name for kind in PLANNED if kind.cached)  # What `--nav-cache` keeps unless somebody says otherwise


@dataclass(frozen=True)
class Step:
    """One piece of work with one outcome; its id in a record, its parameters in an item's id.

    Attributes:
        step: name of its kind.
        key: of the variant; runner: name of the runner; batch: "batch1", ...
    """

    step: str
    key: str = ""
    runner: str = ""
    batch: str = ""

    @property
    def id(self) -> str:
        """Unique in the suite: `profile.onnx.OnnxCPU.batch1`."""
        return step_id(self.step, self.key, self.runner, self.batch)
