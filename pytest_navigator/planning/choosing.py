"""What a name that a user wrote means, and what the settings leave (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_navigator.configuration.settings import Settings
    from pytest_navigator.core.variants import Variant
    from pytest_navigator.formats.registry import Registry
    from pytest_navigator.planning.matrix import Matrix
    from pytest_navigator.runners.spec import RunnerSpec


class Choice(NamedTuple):
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


def runs(runner: RunnerSpec, asked: Sequence[str] | None) -> bool:
    """Whether a runner is one of those that are asked for; of those that run by default, if none is."""
    return runner.name in asked or runner.runtime in asked if asked else runner.default


def format_names(settings: Settings, registry: Registry) -> list[str]:
    """Return the names of the formats that somebody asked for outright."""
    return [e if isinstance(e, str) else registry.format_of(e).name for e in settings.formats or ()]


def as_written(settings: Settings, registry: Registry) -> list[str]:
    """Return the names of formats and groups that somebody wrote; a group whose members are all named adds nothing."""
    named = [name for name in format_names(settings, registry) if name not in settings.grouped]
    return [*named, *(group for group, names in settings.groups.items() if names)]
