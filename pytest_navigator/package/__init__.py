"""The `.nav` package: what is in it, writing it, reading it.

The names are imported when they are first used: collecting tests needs neither YAML nor psutil.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_navigator.devices.environment import environment as environment
    from pytest_navigator.devices.environment import git_state as git_state
    from pytest_navigator.package.archive import check_writable as check_writable
    from pytest_navigator.package.archive import partial_path as partial_path
    from pytest_navigator.package.loading import load as load
    from pytest_navigator.package.loading import profile as profile
    from pytest_navigator.package.loading import save as save
    from pytest_navigator.package.reader import PackageFile as PackageFile
    from pytest_navigator.package.reader import open_package as open_package
    from pytest_navigator.package.results import Results as Results
    from pytest_navigator.package.results import read_results as read_results
    from pytest_navigator.package.strategies import Best as Best
    from pytest_navigator.package.strategies import Figure as Figure
    from pytest_navigator.package.strategies import best as best
    from pytest_navigator.package.writer import pack as pack

_HOMES = {
    "check_writable": "archive",
    "partial_path": "archive",
    "environment": "fingerprint",
    "git_state": "fingerprint",
    "load": "loading",
    "profile": "loading",
    "save": "loading",
    "PackageFile": "reader",
    "open_package": "reader",
    "Results": "results",
    "read_results": "results",
    "Best": "strategies",
    "Figure": "strategies",
    "best": "strategies",
    "pack": "writer",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
