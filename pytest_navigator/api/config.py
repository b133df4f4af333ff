"""`nav.api.config`: where earlier releases of Model Navigator had what the top of the package has now."""

from __future__ import annotations

from importlib import import_module


def __getattr__(name: str) -> object:
    top = import_module(__name__.partition(".")[0])
    if name not in top.__all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(top, name)


def __dir__() -> list[str]:
    names: list[str] = import_module(__name__.partition(".")[0]).__all__
    return sorted(names)
