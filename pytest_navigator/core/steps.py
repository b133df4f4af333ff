"""Steps, and their kinds: what each is called, what there is one of, and what comes before it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

# What a step comes after: the making of what its variant is made from, or of the variant itself.
PARENT, VARIANT = "parent", "variant"


class Status(StrEnum):
    """How a step ended."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    XFAILED = "xfailed"


class Per(Enum):
    """What there is one step of."""

    MODEL = "model"
    EXPORTED = "exported"
    CONVERTED = "converted"
    RUNNER = "runner"
    DECODER = "runner of a decoder"
    SEARCH = "search"
    BATCH = "batch"
    GATED = "model and runner"
    LIMIT = "limit of a runner"
    REDUCED = "runner of a variant with fewer digits"


class StepKind(NamedTuple):
    """One kind of step; what it runs is said once more, in `engine.steps`.

    Attributes:
        title: what Model Navigator writes in its log.
        after: PARENT, VARIANT, or the name of a kind that the same cell passes first; "": nothing.
        script: Model Navigator's word in the names of scripts; "": it has none.
        cached: whether `--nav-cache` keeps it; None: only for who asks for it.
        measures: whether it wants the machine for itself.
        recorded: whether a test of the user's records it, and no run makes it.
        gate: whether it judges what the others found, whatever that is; only runs that ask for it have any.
    """

    name: str
    title: str
    per: Per
    after: str = ""
    script: str = ""
    cached: bool | None = False
    measures: bool = False
    recorded: bool = False
    gate: bool = False

    @property
    def with_runner(self) -> bool:
        """Whether each such step is one of a runner."""
        return self.per in (Per.RUNNER, Per.DECODER, Per.SEARCH, Per.BATCH, Per.LIMIT, Per.REDUCED)

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
        StepKind("decoding", "Decoding {format}", Per.DECODER, "correctness", cached=True),
        # A measurement is cached for who asks for it only: it says how fast this machine was then.
        StepKind("throughput", "Throughput {format}", Per.SEARCH, "correctness", cached=None, measures=True),
        StepKind("profile", "Performance {format}", Per.BATCH, "correctness", "profiling", cached=None, measures=True),
        StepKind("quantization", "Quantization {format}", Per.REDUCED, "correctness", measures=True),
        StepKind("regression", "Regression {format}", Per.GATED, "correctness", measures=True, gate=True),
        StepKind("budget", "Budget {format}", Per.LIMIT, "correctness", measures=True, gate=True),
        StepKind("verify", "Verify {format}", Per.RUNNER, VARIANT, recorded=True),
    )
}

OF_MODEL = "model"  # What the id says of a gate's item that is about the whole model

PLANNED = tuple(kind for kind in KINDS.values() if not kind.recorded)  # Those that a run makes

CACHED = tuple(kind.name for kind in PLANNED if kind.cached)  # What `--nav-cache` keeps unless somebody says otherwise


@dataclass(frozen=True)
class Step:
    """One piece of work with one outcome; its id in a record, its parameters in an item's id.

    Attributes:
        step: name of its kind.
        key: of the variant; runner: name of the runner; batch: "batch1", ...; of a budget: the limit ("p50").
    """

    step: str
    key: str = ""
    runner: str = ""
    batch: str = ""

    @property
    def id(self) -> str:
        """Unique in the suite: `profile.onnx.OnnxCPU.batch1`."""
        return step_id(self.step, self.key, self.runner, self.batch)


def step_id(step: str, key: str = "", runner: str = "", batch: str = "") -> str:
    """Return the id of a step: `profile.onnx.OnnxCPU.batch1`."""
    return ".".join(part for part in (step, key, runner, batch) if part)


def item_name(step: str, cell: str = "", batch: str = "") -> str:
    """Return what the item of a step is called: `test_profile[onnx-cpu-batch1]`, `test_regression[model]`."""
    parameters = "-".join(filter(None, (cell, batch))) or (OF_MODEL if KINDS[step].gate else "")
    return f"test_{step}" + (f"[{parameters}]" if parameters else "")


# Batch sizes that the step "throughput" finds: the smallest one that is nearly as fast as the best one, and that.
KNEE, BEST = "batchknee", "batchbest"


def batch_ids(
    batch_sizes: Iterable[int] | None, batch_dim: int | None, loader_max: int | None = None, *, searched: bool = False
) -> tuple[str, ...]:
    """Return the ids of the batch sizes to profile: "batch1", "batchmax", "batch8", "batchbest", "nobatch".

    Args:
        batch_sizes: the sizes that were asked for, all of which are kept; None: 1 and the loader's largest.
        batch_dim: the batch axis; None for a model without one, which has no sizes to choose from.
        loader_max: the loader's largest batch where it is known (it is not while tests are collected).
        searched: whether the step "throughput" finds the sizes.
    """
    if batch_dim is None:
        return ("nobatch",)
    if searched:
        return ("batch1", KNEE, BEST)
    if batch_sizes is not None:
        return tuple(f"batch{size}" for size in sorted(set(batch_sizes)))
    return ("batch1",) if loader_max == 1 else ("batch1", "batchmax")


def batch_of(id: str, loader_max: int | None) -> int | None:
    """Return the batch size that an id of `batch_ids` means for a loader; None: without a batch axis."""
    if id == "nobatch":
        return None
    return loader_max if id == "batchmax" else int(id.removeprefix("batch"))
