"""What the checks of a package are: its exported formats as they are, everything that is made from them anew (pure)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_navigator.configuration.foreign_arguments import without_files
from pytest_navigator.core.variants import covers
from pytest_navigator.errors import ConfigError
from pytest_navigator.planning.building import assemble

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from pytest_navigator.configuration.format_config import FormatConfig
    from pytest_navigator.configuration.settings import Settings
    from pytest_navigator.core.variants import Variant
    from pytest_navigator.formats.base import Format
    from pytest_navigator.formats.registry import Registry
    from pytest_navigator.package.source import PackageSource
    from pytest_navigator.planning.matrix import Matrix


def package_matrix(package: PackageSource, settings: Settings, registry: Registry) -> Matrix:
    """Return the suite of a package.

    Its own conversions are made again with the parameters that they had or that the run configures, the other ones
    that the registry knows with default ones, unless the package is to be checked for its own formats alone.

    Raises:
        ConfigError: a format was asked for that neither is in the package nor can be made from what is.
    """
    framework = package.suite.framework
    registry.framework(framework)
    said = _said(package, registry)
    variants = _recorded(package, registry, said)
    names = [str(name) for name in settings.formats or ()]
    forms = [form for form in registry.formats.marked(framework) if form.name in said or not package.own_formats]
    variants |= _convertible(
        variants, framework, {form: said.get(form.name) or _configs(form, names) for form in forms}
    )
    _check_named(variants, package, settings)
    provided = tuple(v.key for v in package.exported if v.key in variants)
    wanted = list(dict.fromkeys(v.format for v in variants.values()))
    matrix = assemble(variants, wanted, settings, registry, framework, provided, live=False)
    cells = {matrix.cell_id(key, runner) for key, runner in matrix.cells}
    return replace(matrix, xfail={n: why for n, why in package.xfail.items() if n in cells or n in matrix.variants})


def _said(package: PackageSource, registry: Registry) -> dict[str, list[FormatConfig]]:
    """Return what the run configures, by format.

    Raises:
        ConfigError: the configuration is of a format that only the live model can be exported to.
    """
    found: dict[str, list[FormatConfig]] = {}
    exported = {variant.format for variant in package.suite.variants if variant.parent is None}
    for config in package.configs:
        form = registry.format_of(config)
        if form.name in exported:
            raise ConfigError(
                f"{config!r}: {form.name} is exported from the live model, which {package.path} does not hold; give "
                f"it to nav.{package.suite.framework}.optimize"
            )
        found.setdefault(form.name, []).append(config)
    return found


def _recorded(package: PackageSource, registry: Registry, said: Collection[str]) -> dict[str, Variant]:
    # A format that is not known here cannot be checked, nor what is made from it.
    exported = {variant.key for variant in package.exported}
    own = package.suite.framework
    found: dict[str, Variant] = {}
    for variant in package.suite.variants:
        made = variant.parent in found and bool(found[variant.parent].file) and variant.format not in said
        if variant.key == own or (variant.format in registry.formats and (variant.key in exported or made)):
            found[variant.key] = replace(variant, runners=(), parameters=without_files(variant.parameters))
    return found


def _convertible(
    variants: Mapping[str, Variant], framework: str, configs: Mapping[Format, list[FormatConfig]]
) -> dict[str, Variant]:
    """Return what can be converted from what is there, parents first; a format without configurations is not made."""
    found: dict[str, Variant] = {}
    known = {variant.format for variant in variants.values()}
    pending = [form for form, own in configs.items() if own and form.name not in known]
    while ready := [form for form in pending if form.parent_for(framework) in known]:
        for form in ready:
            parents = [v for v in (*variants.values(), *found.values()) if v.format == form.parent_for(framework)]
            found |= {v.key: v for config in configs[form] for v in form.variants(config, parents)}
        known |= {form.name for form in ready}
        pending = [form for form in pending if form not in ready]
    return found


def _configs(form: Format, names: Sequence[str]) -> list[FormatConfig]:
    """Return the configurations that are asked for: of the variants that are named, else the default one."""
    usual = [form.config()] if form.name in names else []
    named = [*usual, *(config for name in names if (config := form.named(name)))]
    return named or ([form.config()] if form.default else [])


def _check_named(variants: Mapping[str, Variant], package: PackageSource, settings: Settings) -> None:
    own = package.suite.framework
    for name in (each for each in settings.formats or () if each not in settings.grouped):
        if not any(covers(str(name), variant) for variant in variants.values()):
            held = ", ".join(key for key in variants if key != own)
            raise ConfigError(
                f"format {name!r} is not in {package.path}, and cannot be made without the live model "
                f"(there are: {held})"
            )
