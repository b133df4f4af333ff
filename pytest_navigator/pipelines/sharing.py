"""Modules that have weights in common: a format of each would hold its own copy of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from pytest_navigator.pipelines.registry import Wrapped


class Shared(NamedTuple):
    """What a module has in common with another one.

    Attributes:
        owner: name of the other one, which comes first.
        how: for people, and why only one of them gets formats.
    """

    owner: str
    how: str


def shared(modules: Sequence[Wrapped]) -> dict[str, Shared]:
    """Return the modules that share weights with an earlier one, or are a part of another one, by name."""
    found: dict[str, Shared] = {}
    for number, each in enumerate(modules):
        others = [*modules[:number], *modules[number + 1 :]]
        around = [other for other in others if _is_part(each.module, other.module)]
        if around:
            # The outermost one: its format runs where those between them would.
            owner = max(around, key=lambda other: len(list(other.module.modules()))).name
            how = f"it is a part of {owner!r}, whose format holds it"
            found[each.name] = Shared(owner, how)
        elif same := next(filter(None, (_in_common(other, each, found) for other in modules[:number])), None):
            found[each.name] = same
    return found


def _is_part(module: torch.nn.Module, other: torch.nn.Module) -> bool:
    return other is not module and any(part is module for part in other.modules())


def _in_common(first: Wrapped, second: Wrapped, found: dict[str, Shared]) -> Shared | None:
    if first.name in found or _is_part(first.module, second.module):
        return None
    known = {place: name for name, place in _weights(first.module)}
    same = next((name for name, place in _weights(second.module) if place in known), "")
    how = f"it shares its weight {same!r} with {first.name!r}, whose format holds a copy: this would be another one"
    return Shared(first.name, how) if same else None


def _weights(module: torch.nn.Module) -> list[tuple[str, int]]:
    named = module.named_parameters(remove_duplicate=False)
    return [(name, place) for name, weight in named if (place := weight.untyped_storage().data_ptr())]
