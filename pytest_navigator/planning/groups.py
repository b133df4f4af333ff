"""Names that stand for several formats, "edge", "cpu", "all" -> those that can be made of a source here."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_navigator.configuration.settings import with_origin
from pytest_navigator.core.kinds import ALL
from pytest_navigator.errors import ConfigError
from pytest_navigator.text import with_article

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_navigator.configuration.settings import Settings
    from pytest_navigator.formats.base import Format
    from pytest_navigator.formats.registry import Registry

GROUPS = ("edge", "cpu")  # What a format of somebody else's can join, too: `Format.groups`
LEFT_OUT = "left out, not installed: "


def members(registry: Registry, framework: str) -> dict[str, dict[str, Format]]:
    """Return what each group stands for of a framework's models: names and keys, each with its format."""
    found: dict[str, dict[str, Format]] = {name: {} for name in (*GROUPS, ALL)}
    for form in registry.formats.marked(framework):
        for group, names in form.groups.items():
            found.setdefault(group, {}).update(dict.fromkeys(names, form))
        if form.name != framework:
            found[ALL].update(dict.fromkeys((form.name, *form.on_request()), form))
    return found


def is_group(name: object, registry: Registry, framework: str) -> bool:
    """Whether a name stands for several formats; what is a format's name is that format alone."""
    if not isinstance(name, str) or name in registry.formats:
        return False
    return name in (*GROUPS, ALL) or name in members(registry, framework)


def ungrouped(settings: Settings, registry: Registry, framework: str) -> Settings:
    """Return the settings with the members of a group in its place; themselves where no group is named.

    Nobody has asked for these by name: what of them cannot be made is an expected failure, and what is not installed is
    left out. What is named beside a group is asked for as ever.

    Raises:
        ConfigError: nothing of a group can be made of such a model, or nothing of it is installed.
    """
    asked = [name for name in settings.formats or () if is_group(name, registry, framework)]
    if not asked:
        return settings
    groups, named = members(registry, framework), [each for each in settings.formats if each not in asked]
    lacking = _absent({name: form for group in asked for name, form in groups[group].items()}, settings, framework)
    there = {
        group: [name for name, form in groups[group].items() if lacking.keys().isdisjoint((form.name, name))]
        for group in asked
    }
    for group in asked:
        if not there[group]:
            absent = _absent(groups[group], settings, framework)
            raise ConfigError(_nothing(group, framework, absent, settings))
    own = {each if isinstance(each, str) else registry.format_of(each).name for each in named}
    found = {group: tuple(name for name in names if name not in own) for group, names in there.items()}
    formats = (*named, *dict.fromkeys(name for names in found.values() for name in names))
    setting = settings.all["formats"]._replace(value=formats)
    return replace(settings, all={**settings.all, "formats": setting}, groups=found, lacking=lacking)


def _absent(forms: Mapping[str, Format], settings: Settings, framework: str) -> dict[str, str]:
    """Return the formats, and members of them, whose libraries are not installed: what is not, how to install it."""
    from pytest_navigator.devices.requirements import not_installed  # most runs name no group

    here = {name: form for name, form in forms.items() if not _elsewhere(form, settings)}
    found = {form.name: text for form in here.values() if (text := _lacks(form, framework))}
    alone = {
        name: not_installed(form.members_require.get(name, ())) for name, form in here.items() if form.name not in found
    }
    return found | {name: text for name, text in alone.items() if text}


def _lacks(form: Format, framework: str) -> str:
    from pytest_navigator.devices.requirements import not_installed  # most runs name no group

    runners = form.runner_specs
    # What GPUs alone run is told with its device: where there is none, its libraries would be of no use.
    if runners and all(runner.device != "cpu" for runner in runners):
        return ""
    if text := not_installed(form.requires_for(framework)):
        return text
    texts = [not_installed(runner.requires) for runner in runners if runner.device == "cpu"]
    return next(filter(None, texts), "") if texts and all(texts) else ""


def _elsewhere(form: Format, settings: Settings) -> bool:
    """Whether another Python makes and runs it: what is installed there is another matter."""
    from pytest_navigator.configuration.interpreters import commands_of

    return not {form.name, "*"}.isdisjoint(commands_of(settings.interpreters or ()))


def _nothing(group: str, framework: str, absent: Mapping[str, str], settings: Settings) -> str:
    said = f"{with_origin(settings, 'formats')}: nothing of the group {group!r} can be made"
    return f"{said} here: {listed(absent)}" if absent else f"{said} of {with_article(framework)} model"


def listed(lacking: Mapping[str, str]) -> str:
    """Return what is not installed, and which formats need it: "litert: LiteRT is not installed (pip install ...)"."""
    texts = dict.fromkeys(lacking.values())
    return "; ".join(f"{', '.join(name for name in lacking if lacking[name] == text)}: {text}" for text in texts)


def left_out(lacking: Mapping[str, str]) -> list[str]:
    """Return a line of what groups have left out; none where nothing is."""
    return [f"{LEFT_OUT}{listed(lacking)}"] if lacking else []
