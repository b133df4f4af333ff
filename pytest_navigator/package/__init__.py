"""The `.nav` package: what is in it, writing it, reading it.

The names are imported when they are first used: collecting tests needs neither YAML nor psutil.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_navigator.api.loading import load as load
    from pytest_navigator.api.loading import profile as profile
    from pytest_navigator.api.loading import save as save

__all__ = ["load", "profile", "save"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("pytest_navigator.api.loading"), name)
