"""Why a module is not wrapped, and why one that is stays as it is (pure, but for reading the module)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_navigator.pipelines.registry import Wrapped

ONLY_TORCH = "only a torch.nn.Module is wrapped, in a pipeline of any kind"


def not_wrappable(module: Any) -> str:
    """Return why an object cannot be wrapped, and what to do; "" if it can."""
    import torch

    kind = f"{type(module).__module__}.{type(module).__qualname__}"
    if isinstance(module, type):
        return f"the class {module.__qualname__} is no module: wrap an instance, or write @nav.module above the class"
    if not isinstance(module, torch.nn.Module):
        return f"a {kind} cannot be wrapped: {ONLY_TORCH}"
    if isinstance(module, torch.jit.ScriptModule):
        return f"a {kind} has no Python forward to replace: wrap the module that it was made from"
    if hasattr(module, "_orig_mod"):
        return f"a {kind} was made by torch.compile: wrap the module that was given to it, module._orig_mod"
    return ""


def refusal(wrapped: Wrapped, others: Iterable[Wrapped] = ()) -> str:
    """Return why no format can be made of a module as it is now; "" if nothing speaks against it.

    Args:
        others: wrapped modules of the same pipeline, of which none may have weights of this one.
    """
    module = wrapped.module
    tensors = dict(module.named_parameters()) | dict(module.named_buffers())
    devices: dict[str, str] = {}
    for name, tensor in tensors.items():
        devices.setdefault(str(tensor.device), name)
    if "meta" in devices:
        return f"{devices['meta']} has no values: it is on the device 'meta'"
    if len(devices) > 1:
        where = ", ".join(f"{name} on {device}" for device, name in devices.items())
        return f"it is on more than one device ({where})"
    if module.training:
        return "it is in training mode: call .eval() before"
    return _shared(wrapped, others)


def _shared(wrapped: Wrapped, others: Iterable[Wrapped]) -> str:
    """Return which weights another wrapped module has too: a format has its own, and one of two would be stale."""
    own = {id(value): name for name, value in wrapped.module.named_parameters()}
    inside = set(wrapped.module.modules())
    for other in others:
        if other.module in inside or wrapped.module in set(other.module.modules()):
            continue  # one inside of the other: they are of one module, not shared by two
        for name, value in other.module.named_parameters():
            if id(value) in own:
                return f"its weight {own[id(value)]} is {name} of {other.name!r} too: formats would each have their own"
    return ""
