"""The modules in a pipeline by their place: attributes of an object, variables of a function, parts of a module."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch

DEPTH = 3
"""How far below the pipeline modules are looked for."""


def parts_of(pipeline: object, depth: int = DEPTH) -> dict[str, torch.nn.Module]:
    """Return the modules in a pipeline by their place, such as "unet" and "vae.decoder"; each once."""
    found: dict[str, torch.nn.Module] = {}
    seen = {id(pipeline)}
    level = [("", pipeline)]
    for _ in range(depth):
        level = [(place, value) for place, value in _below(level) if not (id(value) in seen or seen.add(id(value)))]  # type: ignore[func-returns-value]
        found.update((place, value) for place, value in level if _is_module(value))
    return found


def at(pipeline: object, place: str) -> Any:
    """Return what is at a place of a pipeline, None if there is nothing."""
    value: Any = pipeline
    for name in place.split("."):
        value = dict(_children(value)).get(name)
        if value is None:
            return None
    return value


def _below(level: list[tuple[str, object]]) -> Iterator[tuple[str, object]]:
    for place, value in level:
        for name, child in _children(value):
            yield f"{place}.{name}" if place else name, child


def _children(value: Any) -> list[tuple[str, Any]]:
    if _is_module(value):
        return [*value.named_children(), *_plain_attributes(value)]
    if isinstance(value, Mapping):
        return [(str(key), child) for key, child in value.items()]
    if isinstance(value, list | tuple):
        return [(str(i), child) for i, child in enumerate(value)]
    if inspect.ismethod(value):
        return _children(value.__self__)
    if inspect.isfunction(value):
        return _variables(value)
    return _plain_attributes(value) if _may_hold(value) else []


def _variables(function: Any) -> list[tuple[str, Any]]:
    found = inspect.getclosurevars(function)
    return [
        (name, value) for name, value in {**found.globals, **found.nonlocals}.items() if not inspect.ismodule(value)
    ]


def _plain_attributes(value: Any) -> list[tuple[str, Any]]:
    return [(name, child) for name, child in vars(value).items() if not name.startswith("_")]


def _may_hold(value: object) -> bool:
    """Whether an object may have modules: one of somebody's class, that is no class itself."""
    return hasattr(value, "__dict__") and not isinstance(value, type) and not inspect.ismodule(value)


def _is_module(value: object) -> bool:
    import torch

    return isinstance(value, torch.nn.Module)
