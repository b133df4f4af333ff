"""Which `nav_expected.toml` speaks of a suite, whether it can, and what it makes of the settings."""

from __future__ import annotations

import os
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pytest_navigator.configuration.settings import Setting, with_origin
from pytest_navigator.core.kinds import KINDS, TITLES
from pytest_navigator.errors import ConfigError, unknown_text
from pytest_navigator.gates.expected_file import WHEN, ExpectedFile, read
from pytest_navigator.planning.choosing import Choice

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_navigator.configuration.settings import Settings
    from pytest_navigator.core.expected import Expected
    from pytest_navigator.engine.host import Host
    from pytest_navigator.planning.matrix import Matrix

ON_REQUEST = "only where it is named"  # In the reason for what most runs do not make

CHOOSING = ("formats", "runtimes", "precisions", "device")  # Settings that leave cells out
FLAGGED = 3  # Strength of a setting that a flag makes

FLAG = "--nav-expected"

# Where a setting comes from -> what to take out.
REMEDIES = {"nav_config": "remove {name} from nav_config", "ini": "remove nav_{name} from the ini file"}


class NamedFile(NamedTuple):
    """A file, its path from the project's root, and what it says."""

    name: str
    content: ExpectedFile


class Planned(NamedTuple):
    """One suite.

    Attributes:
        model: its name.
        matrix: what this run checks of it.
        whole: what it would be without flags that choose, on a machine that has everything.
    """

    model: str
    settings: Settings
    matrix: Matrix
    whole: Callable[[], Matrix]


def named_file(path: Path, project: Path) -> NamedFile:
    """Read a file; one that is not there says nothing.

    Raises:
        ConfigError: it is wrong.
    """
    name = Path(os.path.relpath(path, project)).as_posix()
    return NamedFile(name, read(path, name) if path.is_file() else ExpectedFile())


def expecting(host: Host, file: NamedFile, suite: Planned, *, alone: bool) -> Settings:
    """Return the settings of a suite with what its file says.

    Args:
        alone: whether nothing else may have tolerances: a package brings those of its own run.

    Raises:
        ConfigError: the file names a cell that cannot be, or says what another place says too.
    """
    if suite.model == WHEN:
        raise ConfigError(f"{file.name}: a model cannot be called {WHEN!r} there: NavConfig(name=...) renames it")
    if alone:
        _check_alone(suite.settings, file.name)
    expected = file.content.of(suite.model, lambda requirement: _met(requirement, host), file.name)
    names = file.content.cells(suite.model) - _names(suite.matrix)
    absent, vanished = _absent(sorted(names), host, file, suite)
    return _with(suite, replace(expected, absent=absent, vanished=vanished))


def _met(requirement: str, host: Host) -> bool:
    if requirement in KINDS:
        return requirement not in host.lacking
    return find_spec(requirement) is not None or any(requirement in needs for _, needs in host.probed)


def _check_alone(settings: Settings, file: str) -> None:
    """Refuse a second place that says what the file is to say alone."""
    if settings.config.xfail:
        raise ConfigError(
            f"{file} says what is expected to fail, and so does xfail of nav_config: remove xfail from nav_config "
            f"(write its reasons into the file, or {FLAG}=off for a run without it)"
        )
    for name in ("atol", "rtol"):
        setting = settings.all[name]
        if setting.value is not None:
            remedy = REMEDIES.get(setting.origin.partition(":")[0], f"leave {setting.origin} out").format(name=name)
            raise ConfigError(
                f"{file} has the tolerances that hold, and so does {with_origin(settings, name)}: {remedy} "
                f"({FLAG}=off for a run without the file)"
            )


def _names(matrix: Matrix) -> set[str]:
    return {*matrix.variants, *(matrix.cell_id(*cell) for cell in matrix.cells)}


def _with(suite: Planned, expected: Expected) -> Settings:
    """Return the settings with the tolerances of a file."""
    names = _names(suite.matrix)
    atol = {name: dict(line.atol) for name, line in expected.lines.items() if line.atol and name in names}
    own = {"atol": Setting(atol, expected.file, FLAGGED)} if atol else {}
    return replace(suite.settings, all={**suite.settings.all, **own}, expected=expected)


def _absent(names: Sequence[str], host: Host, file: NamedFile, suite: Planned) -> tuple[dict[str, str], dict[str, str]]:
    """Return why lines have no cell in this run, and which no run has any more: `absent`, `vanished` of `Expected`.

    Raises:
        ConfigError: a name that means nothing in any run.
    """
    if not names:
        return {}, {}
    whole = suite.whole()
    left_out = {name: _left_out(host, suite.settings) for name in names if name in _names(whole)}
    others = {name: _why(name, whole, host, file, suite) for name in names if name not in left_out}
    on_request = {name: why for name, why in others.items() if ON_REQUEST in why}
    return left_out | on_request, {name: why for name, why in others.items() if name not in on_request}


def _left_out(host: Host, settings: Settings) -> str:
    """Return what leaves out a cell that another run or machine has."""
    flags = [name for name in CHOOSING if settings.all[name].value and settings.all[name].strength == FLAGGED]
    by_flags = ", ".join(with_origin(settings, name) for name in flags)
    return by_flags or f"it needs {' or '.join(TITLES.get(kind, kind) for kind in host.lacking)}"


def _why(name: str, whole: Matrix, host: Host, file: NamedFile, suite: Planned) -> str:
    from pytest_navigator.planning.left_out import why

    reason = why(name, Choice(suite.settings, host.registry, whole.variants, whole, live=True))
    if not reason:
        raise ConfigError(f"{file.name}: [{suite.model}]: {unknown_text('cell', name, _names(whole))}")
    return reason
