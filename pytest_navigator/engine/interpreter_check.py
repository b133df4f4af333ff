"""Whether the Pythons that settings name can be the children of a suite's formats: known before anything runs."""

from __future__ import annotations

from argparse import ArgumentTypeError
from typing import TYPE_CHECKING

from pytest_navigator.configuration.interpreters import EVERY, commands_of
from pytest_navigator.devices.requirements import CHECKS
from pytest_navigator.engine.interpreters import origin_of
from pytest_navigator.errors import ConfigError, unknown
from pytest_navigator.isolation.interpreter import probe

if TYPE_CHECKING:
    from pytest_navigator.configuration.settings import Settings
    from pytest_navigator.engine.host import Host
    from pytest_navigator.formats.base import Format
    from pytest_navigator.planning.matrix import Matrix


def check(host: Host, settings: Settings, matrix: Matrix) -> None:
    """See that each interpreter of a suite's formats can be their child, before anything runs.

    Raises:
        ConfigError: a name is no format, or one that no child runs; an interpreter is not there, is too old, or lacks
            a library.
    """
    if not settings.interpreters:
        return
    where = f"interpreters ({origin_of(settings)})"
    _check_names(host, settings, where)
    if host.options.in_process:
        raise ConfigError(f"{where}: --nav-in-process runs everything in this Python; leave out one of the two")
    for command, forms in _used(host, settings, matrix).items():
        needs = tuple(dict.fromkeys(name for form in forms for name in _needs(form, matrix)))
        if (command, needs) not in host.probed:
            probe(command, needs, f"{where}: {', '.join(form.name for form in forms)}")
            host.probed.add((command, needs))


def _check_names(host: Host, settings: Settings, where: str) -> None:
    try:
        named = commands_of(settings.interpreters)
    except ArgumentTypeError as error:
        raise ConfigError(f"{where}: {error}") from None
    for name in named:
        if name != EVERY and name not in host.registry.formats:
            raise unknown(f"format of {where}", name, host.registry.formats)
        if name != EVERY and _live(host.registry.format(name)):
            raise ConfigError(f"{where}: {name} is the live model itself, which runs in this Python")


def _live(form: Format) -> bool:
    return bool(form.runner_specs) and all(runner.live for runner in form.runner_specs)


def _used(host: Host, settings: Settings, matrix: Matrix) -> dict[tuple[str, ...], list[Format]]:
    """Return each command with its formats: it is asked once for all of them, since it may start a container."""
    found: dict[tuple[str, ...], list[Format]] = {}
    for name in dict.fromkeys(variant.format for variant in matrix.variants.values()):
        if command := host.command_of(settings, name):
            found.setdefault(command, []).append(host.registry.format(name))
    return found


def _needs(form: Format, matrix: Matrix) -> tuple[str, ...]:
    """Return the modules that a conversion imports there; an export is made in this Python."""
    keys = [variant.key for variant in matrix.variants.values() if variant.format == form.name]
    if not any(matrix.making(key).step == "convert" for key in keys):
        return ()
    return tuple(name for name in form.requires_for(matrix.framework) if name not in CHECKS)
