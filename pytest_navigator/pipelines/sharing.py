"""Modules that have weights in common: a format of each would hold its own copy of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from pytest_navigator.pipelines.registry import Wrapped


def outermost_first(modules: Sequence[Wrapped]) -> list[Wrapped]:
    """Return modules in the order in which they get formats: each before its parts."""
    return sorted(modules, key=lambda each: sum(_is_part(each.module, other.module) for other in modules))


def in_common(module: Wrapped, with_formats: Sequence[Wrapped]) -> str:
    """Return what a module has in common with one that has formats, for which it gets none; "" for nothing."""
    for other in with_formats:
        if _is_part(module.module, other.module):
            return f"it is a part of {other.name!r}, whose format holds it"
    return next(filter(None, (_shared_weight(other, module) for other in with_formats)), "")


def _is_part(module: torch.nn.Module, other: torch.nn.Module) -> bool:
    return other is not module and any(part is module for part in other.modules())


def _shared_weight(first: Wrapped, second: Wrapped) -> str:
    known = {place for _, place in _weights(first.module)}
    name = next((name for name, place in _weights(second.module) if place in known), "")
    how = f"it shares its weight {name!r} with {first.name!r}, whose format holds a copy: this would be another one"
    return how if name else ""


def _weights(module: torch.nn.Module) -> list[tuple[str, int]]:
    named = module.named_parameters(remove_duplicate=False)
    return [(name, place) for name, weight in named if (place := weight.untyped_storage().data_ptr())]
