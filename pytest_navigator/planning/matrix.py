"""What is checked of one model, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pytest_navigator.core.steps import BEST, KINDS, KNEE, PARENT, PLANNED, Per, Step

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from pytest_navigator.configuration.budgets import Limit
    from pytest_navigator.core.records import Required
    from pytest_navigator.core.steps import StepKind
    from pytest_navigator.core.variants import RunnerRecord, Variant


@dataclass(frozen=True)
class Matrix:
    """Everything that one suite generates.

    Attributes:
        framework: of the source; `variants` starts with the source's own.
        variants, runners: by key and by name, in order.
        cells: the variant × runner pairs.
        batches: ids of the batch sizes to profile; empty: nothing is profiled.
        named: keys that somebody asked for by name; implied: keys that only others need.
        provided: keys whose artifact comes with the source: a model file, what a package holds.
        xfail: format or cell -> why it is expected to fail.
        required: what `--nav-require` asks of the suite.
        elsewhere: kind of device that this machine does not have -> how many steps are left out for that.
        gates: kinds of gates that the run asks for.
        limits: cell -> the limits of its budgets.
        decoding: whether the samples are the steps of a generation, which every cell goes through too.
    """

    framework: str
    variants: dict[str, Variant]
    runners: dict[str, RunnerRecord]
    cells: tuple[tuple[str, str], ...]
    batches: tuple[str, ...]
    named: tuple[str, ...]
    implied: tuple[str, ...]
    xfail: Mapping[str, str]
    provided: tuple[str, ...] = ()
    required: tuple[Required, ...] = ()
    elsewhere: Mapping[str, int] = field(default_factory=dict)
    gates: tuple[str, ...] = ()
    limits: Mapping[tuple[str, str], tuple[Limit, ...]] = field(default_factory=dict)
    decoding: bool = False

    def without(self, runners: Collection[str]) -> Matrix:
        """Return what is left if these runners are not tried."""
        return replace(
            self,
            runners={name: runner for name, runner in self.runners.items() if name not in runners},
            cells=tuple(cell for cell in self.cells if cell[1] not in runners),
        )

    def runners_of(self, key: str) -> tuple[str, ...]:
        """Return the names of a variant's runners."""
        return tuple(runner for of, runner in self.cells if of == key)

    def runner_of(self, key: str, runtime: str) -> str:
        """Return the name of the runner that executes a variant in a runtime."""
        return next(name for of, name in self.cells if of == key and self.runners[name].runtime == runtime)

    def cell_id(self, key: str, runner: str) -> str:
        """Return what an item's id says of a cell: `onnx-cpu`."""
        return f"{key}-{self.runners[runner].runtime}"

    @property
    def verifiable(self) -> list[tuple[str, str]]:
        """The cells that run from a file, which can be deployed; of a source without any, its live ones."""
        # What runs the live model is not what is deployed.
        return [(key, runner) for key, runner in self.cells if not self.runners[runner].live] or list(self.cells)

    def each(self, kind: StepKind) -> list[tuple[str, str, str]]:
        """Return key, name of the runner and batch of whatever there is a step of, "" where it has none."""
        return [] if kind.gate and kind.name not in self.gates else self._each(kind.per)

    def _each(self, per: Per) -> list[tuple[str, str, str]]:
        match per:
            case Per.MODEL:
                return [("", "", "")]
            case Per.RUNNER:
                return [(key, runner, "") for key, runner in self.cells]
            case Per.REDUCED:
                return [(key, runner, "") for key, runner in self.cells if self.variants[key].reference]
            case Per.DECODER:
                return [(key, runner, "") for key, runner in self.cells if self.decoding]
            case Per.GATED:
                return [("", "", ""), *self._each(Per.RUNNER)]
            case Per.SEARCH:
                return [(key, runner, "") for key, runner in self.cells if BEST in self.batches]
            case Per.LIMIT:
                return [(*cell, limit.id) for cell in self.cells for limit in self.limits.get(cell, ())]
            case Per.BATCH:
                return [(*cell, batch) for cell in self.cells for batch in self.batches_of(*cell)]
        return [(v.key, "", "") for v in self.variants.values() if KINDS[self.making(v.key).step].per is per]

    def making(self, key: str) -> Step:
        """Return the step after which a variant is there."""
        variant = self.variants[key]
        if not variant.file or key in self.provided:
            return Step("source")
        return Step("convert" if variant.parent else "export", key)

    def exports(self, ids: Collection[str]) -> list[str]:
        """Return the formats whose exports are among steps, or come before one of them."""
        asked = [step for step in self.steps() if step.id in ids]
        found: dict[str, None] = {}
        for step in asked:
            before = self.needs(step)
            asked += [needed for needed in before if needed not in asked]
            if step.step == "export":
                found[self.variants[step.key].format] = None
        return list(found)

    def steps(self) -> list[Step]:
        """Return every step, in the order of the generated tests."""
        return [Step(kind.name, *place) for kind in PLANNED for place in self.each(kind)]

    def needs(self, step: Step) -> list[Step]:
        """Return the steps that must have passed before `step` can run, in the order in which to run them."""
        variant, after = self.variants.get(step.key), KINDS[step.step].after
        if KINDS[step.step].per is Per.LIMIT:
            return [Step(after, step.key, step.runner), *self.measured(step)]
        if KINDS[step.step].gate:
            return [Step("source")]
        if not after or variant is None:
            return []
        if after in KINDS:
            searched = [Step("throughput", step.key, step.runner)] if step.batch in (KNEE, BEST) else []
            beside = [self.making(variant.reference)] if KINDS[step.step].per is Per.REDUCED else []
            return [Step(after, step.key, step.runner), *searched, *beside]
        made_from = variant.parent if after == PARENT else step.key
        makes = [self.making(made_from)] if made_from else []
        return list(dict.fromkeys([Step("source"), *makes]))

    def judged(self, step: Step) -> list[Step]:
        """Return the steps that a gate judges, which run first, whatever becomes of them; none of another step."""
        if KINDS[step.step].per is not Per.GATED:
            return []
        if not step.key:
            return list(dict.fromkeys(self.making(key) for key in self.variants))
        profiles = [Step("profile", step.key, step.runner, batch) for batch in self.batches_of(step.key, step.runner)]
        return [Step(KINDS[step.step].after, step.key, step.runner), *profiles]

    def batches_of(self, key: str, runner: str) -> tuple[str, ...]:
        """Return the ids of the batch sizes to profile a cell at: those of the run, and those of budgets."""
        if not self.batches:
            return ()
        more = [
            profile.batch for profile in self._measured_for_limits() if (profile.key, profile.runner) == (key, runner)
        ]
        return tuple(dict.fromkeys((*self.batches, *more)))

    def _measured_for_limits(self) -> Iterator[Step]:
        for cell in self.cells if self.limits else ():
            for step in self.budgets_of(*cell):
                yield from self.measured(step)

    def budgets_of(self, key: str, runner: str) -> list[Step]:
        """Return the budget steps of a cell."""
        return [Step("budget", key, runner, limit.id) for limit in self.limits.get((key, runner), ())]

    def limit_of(self, step: Step) -> Limit:
        """Return the limit that a budget step is about."""
        return next(limit for limit in self.limits[step.key, step.runner] if limit.id == step.batch)

    def measured(self, step: Step) -> list[Step]:
        """Return the profile steps that a budget goes by: the cell's own first; that of the source for a speed-up."""
        limit = self.limit_of(step)
        if not self.batches or not limit.measured:
            return []
        cells = [(step.key, step.runner), *([self.source_cell(step.runner)] if limit.bound == "speedup" else [])]
        batch = f"batch{limit.batch}" if limit.batch else "nobatch"
        return [Step("profile", *cell, batch) for cell in cells if cell]

    def source_cell(self, runner: str) -> tuple[str, str] | None:
        """Return the source as it is, on the same kind of device as a runner; None: the run does not have it."""
        device = self.runners[runner].device
        own = [name for name in self.runners_of(self.framework) if self.runners[name].runtime == device]
        return (self.framework, own[0]) if own else None

    def asked_for(self, key: str) -> bool:
        """Whether somebody asked for a variant, for what is made from it, or requires it: it must not be declined."""
        asked = {*self.named, *keys_of(self.required, self.steps())}
        return key in with_line(self.variants, asked)

    def before(self, step: Step) -> list[Step]:
        """Return every step that must have passed before `step` can run, the first one first."""
        needs = self.needs(step)
        return list(dict.fromkeys([*(first for needed in needs for first in self.before(needed)), *needs]))

    def checks(self, key: str) -> list[Step]:
        """Return the steps that compare a variant, one a runner."""
        return [Step("correctness", key, runner) for runner in self.runners_of(key)]


def with_line(variants: Mapping[str, Variant], stay: set[str]) -> dict[str, Variant]:
    """Return some variants, what they are made from, and what they are measured beside."""
    for variant in reversed(list(variants.values())):
        if variant.key in stay:
            stay.update(filter(None, (variant.parent, variant.reference)))
    return {key: variant for key, variant in variants.items() if key in stay}


def keys_of(required: Iterable[Required], steps: Iterable[Step]) -> set[str]:
    """Return the keys of the variants that requirements make or check."""
    ids = {step for each in required for group in (each.needs, *each.checks) for step in group}
    return {step.key for step in steps if step.id in ids and step.key}
