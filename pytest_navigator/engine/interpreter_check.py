"""Whether the Pythons that settings name can be the children of a suite's formats: known before anything runs."""

from __future__ import annotations

from argparse import ArgumentTypeError
from typing import TYPE_CHECKING

from pytest_navigator.configuration.interpreters import EVERY, commands_of
from pytest_navigator.devices.driver_library import has_driver
from pytest_navigator.devices.requirements import module_of
from pytest_navigator.engine.interpreters import origin_of
from pytest_navigator.errors import ConfigError, unknown
from pytest_navigator.isolation.interpreter import probe

if TYPE_CHECKING:
    from pytest_navigator.configuration.settings import Settings
    from pytest_navigator.engine.host import Host
    from pytest_navigator.formats.base import Format
    from pytest_navigator.planning.matrix import Matrix


def check(host: Host, settings: Settings, matrix: Matrix, *, packaged: bool = False) -> None:
    """See that each interpreter of a suite's formats can be their child, before anything runs.

    Args:
        packaged: whether the suite is of a package, whose source is not read again.

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
        needs = tuple(dict.fromkeys(name for form in forms for name in _needs(form, matrix, packaged=packaged)))
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


def _needs(form: Format, matrix: Matrix, *, packaged: bool) -> tuple[str, ...]:
    """Return the modules that are imported there: by a conversion (an export is made here), by what reads and runs."""
    keys = [variant.key for variant in matrix.variants.values() if variant.format == form.name]
    names: list[str] = []
    if any(matrix.making(key).step == "convert" for key in keys):
        names += form.requires_for(matrix.framework)
    if form.name == matrix.framework and not packaged:
        names += _possible(form.reads_with)
    for runner in dict.fromkeys(runner for key in keys for runner in matrix.runners_of(key)):
        if not matrix.runners[runner].live:
            names += _possible(matrix.runners[runner].requires)
    return tuple(dict.fromkeys(filter(None, map(module_of, names))))


def _possible(requires: tuple[str, ...]) -> tuple[str, ...]:
    """Return requirements, () if they begin with a GPU that is not here: its libraries are not asked for then."""
    return () if "cuda" in requires and not has_driver() else requires
