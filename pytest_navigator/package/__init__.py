"""The `.nav` package: what is in it, writing it, reading it.

`nav.package.load` and its like are Model Navigator's names of what `pytest_navigator.api.packages` has. They are looked
up when they are used: this room knows nothing of those above it.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_FACE = ("get_best_model_status", "load", "load_from_workspace", "optimize", "profile", "save", "set_verified")


def __getattr__(name: str) -> Any:
    if name not in _FACE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("pytest_navigator.api.packages"), name)


def __dir__() -> list[str]:
    return sorted(_FACE)
