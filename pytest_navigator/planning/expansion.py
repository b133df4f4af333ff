"""The formats that are asked for, with their configurations -> every variant that can be made of them (pure)."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from pytest_navigator.errors import ConfigError, unknown
from pytest_navigator.text import with_article

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_navigator.configuration.format_config import FormatConfig
    from pytest_navigator.configuration.settings import Settings
    from pytest_navigator.core.variants import Variant
    from pytest_navigator.formats.base import Format
    from pytest_navigator.formats.registry import Registry


FORMATS = "docs/formats.md has all"


def wanted(settings: Settings, registry: Registry, framework: str) -> dict[str, list[FormatConfig]]:
    """Return the configurations of each format that was asked for, by the format's name.

    `settings.formats` are names when they come from a flag or the ini file, names and objects from nav_config; what a
    flag names keeps the configuration that nav_config has for it, and so does what is usual.
    """
    configured = _by_format(_without_groups(settings.config.formats or (), registry, framework), registry, framework)
    if settings.formats is None:
        return {f.name: configured.get(f.name, [f.config()]) for f in registry.formats.usual(framework)}
    asked = _by_format(settings.formats, registry, framework)
    for name in asked:
        _check_possible(registry.format(name), registry, framework)
    return {name: configured.get(name, configs) for name, configs in asked.items()}


def _without_groups(
    entries: Sequence[FormatConfig | str], registry: Registry, framework: str
) -> list[FormatConfig | str]:
    if not entries:
        return []
    from pytest_navigator.planning.groups import is_group  # most runs name no format

    return [each for each in entries if not is_group(each, registry, framework)]


def _check_possible(form: Format, registry: Registry, framework: str) -> None:
    if framework not in (form.name, *form.frameworks):
        possible = ", ".join(sorted(f.name for f in _possible(registry, framework)))
        raise ConfigError(
            f"format {form.name!r} cannot be made of {with_article(framework)} model, but these can: {possible} "
            f"(it is made of: {', '.join(form.frameworks)})"
        )


def _possible(registry: Registry, framework: str) -> list[Format]:
    return registry.formats.marked(framework)


def _by_format(
    entries: Iterable[FormatConfig | str], registry: Registry, framework: str
) -> dict[str, list[FormatConfig]]:
    found: dict[str, list[FormatConfig]] = {}
    for entry in entries:
        form = _owner(entry, registry, framework) if isinstance(entry, str) else registry.format_of(entry)
        configs = found.setdefault(form.name, [])
        # What is configured goes before what is only named: a name alone asks for the usual configuration.
        if not isinstance(entry, str):
            configs.append(entry)
        elif more := form.named(entry):
            configs.append(more)
        elif not configs:
            configs.append(form.config())
    return found


def _owner(name: str, registry: Registry, framework: str) -> Format:
    form = meant(name, registry, framework)
    if form is None:
        raise unknown(f"format of {with_article(framework)} model", name, _every_name(registry, framework), FORMATS)
    return form


def meant(name: str, registry: Registry, framework: str) -> Format | None:
    """Return the format that `name` means (its own name, or the key of a variant), None if it means none."""
    if name in registry.formats:
        return registry.formats[name]
    for form in chain(registry.formats.marked(framework), registry.formats.values()):  # lazily: the likely ones first
        if form.named(name):
            return form
    variant = defaults(registry, framework).get(name)
    return registry.formats[variant.format] if variant else None


def _every_name(registry: Registry, framework: str) -> set[str]:
    """Return every name of what can be made of a framework's models: by default or where it is named."""
    possible = {form.name: form for form in _possible(registry, framework)}
    keys = {key for key, variant in defaults(registry, framework).items() if variant.format in possible}
    from pytest_navigator.planning.groups import members

    groups = members(registry, framework)
    return {*possible, *keys, *groups, *(key for form in possible.values() for key in form.on_request())}


def defaults(registry: Registry, framework: str) -> dict[str, Variant]:
    """Return what every format is made into when nobody configures it, by key."""
    return expand({f.name: [f.config()] for f in registry.formats.values()}, registry, framework)


def with_parents(
    wanted: Mapping[str, list[FormatConfig]], registry: Registry, framework: str
) -> dict[str, list[FormatConfig]]:
    """Add the source's own format and what others are made from, with default configurations."""
    complete = dict(wanted)
    pending = [framework, *wanted]
    while pending:
        form = registry.format(pending.pop())
        complete.setdefault(form.name, [form.config()])
        if form.name == framework:
            continue
        parent = form.parent_for(framework)
        if parent and parent not in complete:
            pending.append(parent)
    return complete


def expand(configs: Mapping[str, list[FormatConfig]], registry: Registry, framework: str) -> dict[str, Variant]:
    """Return every variant by key, parents before what is made from them."""
    variants: dict[str, Variant] = {}
    for form in _parents_first(registry, configs, framework):
        parents = [v for v in variants.values() if v.format == form.parent_for(framework)]
        for config in configs[form.name]:
            if form.file and form.name == framework:
                own = variants.setdefault(form.name, form.as_source(config))
                _add(form.from_source(config, own), config, form, variants)
            else:
                _add(form.variants(config, parents), config, form, variants)
    return variants


def _add(made: Sequence[Variant], config: FormatConfig, form: Format, variants: dict[str, Variant]) -> None:
    for variant in made:
        known = variants.setdefault(variant.key, variant)
        if known is not variant and not (known == variant and _comes_along(variant, made, config, form)):
            raise ConfigError(f"format {variant.key!r} is configured twice: the second time by {config!r}")


def _comes_along(variant: Variant, made: Iterable[Variant], config: FormatConfig, form: Format) -> bool:
    """Whether a variant is there without anybody having configured it: for another one's sake, or by a name."""
    # A name and a key may mean the same: trt,trt-fp16. What several are measured beside is one.
    return any(variant.key == each.reference for each in made) or config in form.on_request().values()


def _parents_first(registry: Registry, names: Iterable[str], framework: str) -> list[Format]:
    chosen = [registry.format(name) for name in registry.formats if name in set(names)]
    return sorted(chosen, key=lambda f: len(_line(f, registry, framework)))


def _line(form: Format, registry: Registry, framework: str) -> list[str]:
    """Return the names of the formats that `form` is made from, nearest first."""
    line: list[str] = []
    while (parent := form.parent_for(framework)) and parent not in line and form.name != framework:
        line.append(parent)
        form = registry.format(parent)
    return line
