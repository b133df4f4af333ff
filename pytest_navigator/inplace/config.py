"""`model_navigator.inplace.config`: its names are those of the top of the package."""

from __future__ import annotations

from importlib import import_module


def __getattr__(name: str) -> object:
    return getattr(import_module(__name__.partition(".")[0]), name)
