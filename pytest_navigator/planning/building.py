"""Settings and registry -> the formats, runners and steps of one suite (pure; no framework, no machine)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_navigator.configuration.settings import search_of
from pytest_navigator.core.kinds import KINDS
from pytest_navigator.core.steps import batch_ids
from pytest_navigator.core.variants import covers, precise
from pytest_navigator.errors import ConfigError, unknown
from pytest_navigator.planning.choosing import Choice, format_names, runs
from pytest_navigator.planning.expansion import expand, wanted, with_parents
from pytest_navigator.planning.matrix import Matrix, with_line

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from pytest_navigator.configuration.settings import Settings
    from pytest_navigator.core.variants import RunnerRecord, Variant
    from pytest_navigator.formats.registry import Registry


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
    unnamed = settings.grouped.union(unasked)
    asked = [*(name for name in names if name not in unnamed), *settings.require]
    kept = _kept(everything, names or usual, settings, framework)
    # What somebody has named stays, and says itself that nothing runs it.
    if not names or settings.groups:
        kept = _runnable(kept, _cells(kept, settings, registry, live=live), settings, (framework, *provided), asked)
    cells = _cells(kept, settings, registry, live=live)
    matrix = Matrix(
        framework=framework,
        variants=kept,
        runners=_runners(kept, cells, registry),
        cells=cells,
        batches=_batches(settings),
        named=tuple(v.key for v in kept.values() if any(covers(name, v) for name in asked)),
        implied=tuple(v.key for v in kept.values() if v.format not in usual),
        xfail=settings.config.xfail,
        decoding=settings.config.decoding is not None,
        provided=tuple(key for key in provided if key in kept),
    )
    return _with_named(Choice(settings, registry, everything, matrix, live))


def _with_named(choice: Choice) -> Matrix:
    # Most runs require nothing, have no budgets and expect no failure: their collection imports nothing for that.
    settings, matrix = choice.settings, choice.matrix
    if settings.budgets:
        from pytest_navigator.planning.budgets import with_budgets

        matrix = with_budgets(matrix, settings)
    if settings.require:
        from pytest_navigator.planning.required import required_of

        matrix = replace(matrix, required=required_of(matrix, settings.require))
    if settings.require or settings.config.xfail or settings.budgets:
        from pytest_navigator.planning.left_out import check

        check(choice._replace(matrix=matrix))
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
    variants: Mapping[str, Variant],
    cells: Iterable[tuple[str, str]],
    settings: Settings,
    ready: Sequence[str],
    asked: Sequence[str],
) -> dict[str, Variant]:
    """Drop what nobody named and none of the chosen runtimes runs: an engine where only processors are asked for."""
    if not settings.runtimes and settings.device not in KINDS:
        return dict(variants)
    named = {v.key for v in variants.values() if any(covers(name, v) for name in asked)}
    return with_line(variants, {*ready, *named, *(key for key, _ in cells)})


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
    if settings.runtimes:
        _check_runtimes(settings.runtimes, registry)
    return tuple(
        (variant.key, runner.name)
        for variant in variants.values()
        for runner in registry.format(variant.format).runner_specs
        if runner.name in variant.runners or not variant.runners
        if runs(runner, settings.runtimes)
        if (settings.device not in KINDS or settings.device == runner.device) and (live or not runner.live)
    )


def _check_runtimes(names: Iterable[str], registry: Registry) -> None:
    valid = {name for runner in registry.runners().values() for name in (runner.name, runner.runtime)}
    for name in names:
        if name not in valid:
            raise unknown("runtime", name, valid)


def _runners(
    variants: Mapping[str, Variant], cells: Iterable[tuple[str, str]], registry: Registry
) -> dict[str, RunnerRecord]:
    """Return the runners of the cells, in their order."""
    found = {(key, r.name): r for key, v in variants.items() for r in registry.format(v.format).runner_specs}
    return {name: found[key, name].record() for key, name in cells}


def _batches(settings: Settings) -> tuple[str, ...]:
    if not settings.profile:
        return ()
    profile = settings.config.optimization_profile
    if search_of(settings):
        return batch_ids(None, settings.config.batch_dim, searched=True)
    return batch_ids(settings.batch_sizes or (profile.sizes() if profile else None), settings.config.batch_dim)
