"""Modules that have weights in common: a format of each would hold its own copy of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from pytest_navigator.pipelines.registry import Wrapped


def shared(modules: Sequence[Wrapped]) -> dict[str, str]:
    """Return the modules that share weights with an earlier one, or are a part of another one: name -> how."""
    found: dict[str, str] = {}
    for number, each in enumerate(modules):
        others = [*modules[:number], *modules[number + 1 :]]
        around = next((other.name for other in others if _is_part(each.module, other.module)), "")
        if around:
            found[each.name] = f"it is a part of {around!r}, which is wrapped too and whose format would hold it"
        elif how := next(filter(None, (_in_common(other, each, found) for other in modules[:number])), ""):
            found[each.name] = how
    return found


def _is_part(module: torch.nn.Module, other: torch.nn.Module) -> bool:
    return other is not module and any(part is module for part in other.modules())


def _in_common(first: Wrapped, second: Wrapped, parts: dict[str, str]) -> str:
    if first.name in parts or _is_part(first.module, second.module):
        return ""
    known = {place: name for name, place in _weights(first.module)}
    same = next((name for name, place in _weights(second.module) if place in known), "")
    return (
        f"it shares its weight {same!r} with {first.name!r}: each format would hold a copy of its own" if same else ""
    )


def _weights(module: torch.nn.Module) -> list[tuple[str, int]]:
    named = module.named_parameters(remove_duplicate=False)
    return [(name, place) for name, weight in named if (place := weight.untyped_storage().data_ptr())]
