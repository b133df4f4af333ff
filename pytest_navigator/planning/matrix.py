"""Settings and registry -> the formats, runners and steps of one suite (pure; no framework, no machine)."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_navigator.devices.kinds import KINDS
from pytest_navigator.errors import ConfigError
from pytest_navigator.errors import unknown
from pytest_navigator.planning.expansion import expand
from pytest_navigator.planning.expansion import wanted
from pytest_navigator.planning.expansion import with_parents
from pytest_navigator.planning.required import keys_of
from pytest_navigator.planning.required import required_of
from pytest_navigator.records import step_id
from pytest_navigator.registry import runner_record

if TYPE_CHECKING:
    from collections.abc import Collection
    from collections.abc import Iterable
    from collections.abc import Mapping
    from collections.abc import Sequence

    from pytest_navigator.configuration.settings import Settings
    from pytest_navigator.records import Required
    from pytest_navigator.records import RunnerRecord
    from pytest_navigator.records import Variant
    from pytest_navigator.registry import Registry
    from pytest_navigator.runners.base import Runner


@dataclass(frozen=True)
class Step:
    """One piece of work with one outcome; its id in a record, its parameters in an item's id.

    Attributes:
        step: "source", "export", "convert", "correctness", "profile".
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
        return [(key, runner) for key, runner in self.cells if not self.runners[runner].live] or list(self.cells)

    def made(self, step: str) -> list[str]:
        """Return the keys of the variants that `step` ("export" or "convert") makes."""
        return [v.key for v in self.variants.values() if self.making(v.key).step == step]

    def making(self, key: str) -> Step:
        """Return the step after which a variant is there."""
        variant = self.variants[key]
        if not variant.file or key in self.provided:
            return Step("source")
        return Step("convert" if variant.parent else "export", key)

    def steps(self) -> list[Step]:
        """Return every step, in the order of the generated tests."""
        makes = [Step(step, key) for step in ("export", "convert") for key in self.made(step)]
        checks = [Step("correctness", key, runner) for key, runner in self.cells]
        profiles = [Step("profile", key, runner, batch) for key, runner in self.cells for batch in self.batches]
        return [Step("source"), *makes, *checks, *profiles]

    def needs(self, step: Step) -> list[Step]:
        """Return the steps that must have passed before `step` can run, in the order in which to run them."""
        variant = self.variants.get(step.key)
        if step.step == "source" or variant is None:
            return []
        if step.step == "profile":
            return [Step("correctness", step.key, step.runner)]
        made_from = variant.parent if step.step in ("export", "convert") else step.key
        makes = [self.making(made_from)] if made_from else []
        return list(dict.fromkeys([Step("source"), *makes]))

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


@dataclass(frozen=True)
class Choice:
    """What the settings were chosen from, and what they leave.

    Attributes:
        everything: by key, the variants that there can be.
        live: whether there is a live source for its runners to run.
    """

    settings: Settings
    registry: Registry
    everything: Mapping[str, Variant]
    matrix: Matrix
    live: bool


def covers(name: str, variant: Variant, cell: str = "") -> bool:
    """Whether a name that a user wrote means this variant (its key, its format) or this cell of it."""
    return name in (variant.key, variant.format, cell)


def build(settings: Settings, registry: Registry, framework: str, unasked: Collection[str] = frozenset()) -> Matrix:
    """Expand the settings.

    Args:
        unasked: names of formats in the settings that nobody has asked for by name.

    Raises:
        ConfigError: an unknown format, runtime, precision, required or xfail name; a format configured twice.
    """
    configs = wanted(settings, registry, framework)
    everything = expand(with_parents(configs, registry, framework), registry, framework)
    provided = (framework,) if everything[framework].file else ()
    return assemble(everything, list(configs), settings, registry, framework, provided, unasked=unasked)


def assemble(
    everything: Mapping[str, Variant],
    usual: Sequence[str],
    settings: Settings,
    registry: Registry,
    framework: str,
    provided: tuple[str, ...],
    *,
    live: bool = True,
    unasked: Collection[str] = frozenset(),
) -> Matrix:
    """Return what the settings leave of the variants that there can be.

    Args:
        everything: by key, the source's own first, parents before what is made from them.
        usual: names of the formats that are there unless the settings name others.
        provided: keys of the variants whose artifact comes with the source.
        live: whether there is a live source for its runners to run.
        unasked: names of formats in the settings that nobody has asked for by name.
    """
    names = format_names(settings, registry)
    asked = [*(name for name in names if name not in unasked), *settings.require]
    kept = _kept(everything, names or usual, settings, framework)
    if not names:
        kept = _runnable(kept, _cells(kept, settings, registry, live=live), settings, (framework, *provided))
    cells = _cells(kept, settings, registry, live=live)
    matrix = Matrix(
        framework=framework,
        variants=kept,
        runners={name: runner_record(registry.runner(name)) for name in dict.fromkeys(r for _, r in cells)},
        cells=cells,
        batches=_batches(settings),
        named=tuple(v.key for v in kept.values() if any(covers(name, v) for name in asked)),
        implied=tuple(v.key for v in kept.values() if v.format not in usual),
        xfail=settings.config.xfail,
        provided=tuple(key for key in provided if key in kept),
    )
    matrix = replace(matrix, required=required_of(matrix, settings.require))
    from pytest_navigator.planning.left_out import check  # which reads what this module makes

    check(Choice(settings, registry, everything, matrix, live))
    return matrix


def _kept(
    variants: Mapping[str, Variant], names: Sequence[str], settings: Settings, framework: str
) -> dict[str, Variant]:
    """Drop the variants that nobody asked for, unless they are the source or a parent of one that stays."""
    _check_precisions(settings.precisions, variants)
    asked = [v for v in variants.values() if any(covers(name, v) for name in names)]
    kept = {v.key for v in asked if precise(v, settings.precisions)}
    for precision in (settings.precisions or ()) if settings.formats else ():
        if not any(variants[key].parameters.get("precision") == precision for key in kept):
            there = sorted({str(v.parameters["precision"]) for v in asked if v.parameters.get("precision")})
            raise ConfigError(
                f"no format that is made has the precision {precision!r} (there are: {', '.join(there) or 'none'}): "
                f"name one that has, --nav-formats=trt-{precision}, or configure it"
            )
    return with_line(variants, {framework} | kept)


def _runnable(
    variants: Mapping[str, Variant], cells: Iterable[tuple[str, str]], settings: Settings, ready: Sequence[str]
) -> dict[str, Variant]:
    """Drop what nobody named and none of the chosen runtimes runs: an engine where only processors are asked for."""
    if not settings.runtimes and settings.device not in KINDS:
        return dict(variants)
    required = {v.key for v in variants.values() if any(covers(name, v) for name in settings.require)}
    return with_line(variants, {*ready, *required, *(key for key, _ in cells)})


def with_line(variants: Mapping[str, Variant], stay: set[str]) -> dict[str, Variant]:
    """Return some variants and what they are made from."""
    for variant in reversed(list(variants.values())):
        if variant.key in stay and variant.parent:
            stay.add(variant.parent)
    return {key: variant for key, variant in variants.items() if key in stay}


def precise(variant: Variant, precisions: Sequence[str] | None) -> bool:
    """Whether a variant has one of the precisions that are asked for, or none of its own."""
    own = variant.parameters.get("precision")
    return not precisions or own is None or own in precisions


def _check_precisions(precisions: Sequence[str] | None, variants: Mapping[str, Variant]) -> None:
    valid = {"fp32", "fp16", "bf16", "int8", "fp8"} | {
        str(v.parameters.get("precision", "fp32")) for v in variants.values()
    }
    for precision in precisions or ():
        if precision not in valid:
            raise unknown("precision", precision, valid)


def _cells(
    variants: Mapping[str, Variant], settings: Settings, registry: Registry, *, live: bool
) -> tuple[tuple[str, str], ...]:
    """Return the variant × runner pairs that the settings leave."""
    runners = [r for f in registry.formats.values() for r in f.runners]
    valid = {r.name for r in runners} | {r.runtime for r in runners}
    for name in settings.runtimes or ():
        if name not in valid:
            raise unknown("runtime", name, valid)
    return tuple(
        (variant.key, runner.name)
        for variant in variants.values()
        for runner in registry.format(variant.format).runners
        if runs(runner, settings.runtimes)
        if (settings.device not in KINDS or settings.device == runner.device) and (live or not runner.live)
    )


def runs(runner: type[Runner], asked: Sequence[str] | None) -> bool:
    """Whether a runner is one of those that are asked for; of those that run by default, if none is."""
    return runner.name in asked or runner.runtime in asked if asked else runner.default


def _batches(settings: Settings) -> tuple[str, ...]:
    from pytest_navigator.profiling.measuring import batch_ids

    if not settings.profile:
        return ()
    profile = settings.config.optimization_profile
    sizes = settings.batch_sizes or (profile.sizes() if profile else None)
    return batch_ids(sizes, settings.config.batch_dim)


def format_names(settings: Settings, registry: Registry) -> list[str]:
    """Return the names of the formats that somebody asked for outright."""
    return [e if isinstance(e, str) else registry.format_of(e).name for e in settings.formats or ()]
