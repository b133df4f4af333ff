"""Why an object is not wrapped, or nothing is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

AUTOCAST = "autocast is on, and formats are made without"
NO_MODULE = 'no module is wrapped: pipeline.unet = nav.Module(pipeline.unet), or nav.wrap(pipeline, ["unet"])'
ONLY_TORCH = "only a torch.nn.Module can be wrapped; what calls it may be anything"


def autocasting(module: Any) -> Callable[[], bool]:
    """Return what tells whether autocast is on for the device of a module."""
    import torch

    # Of one without data torch knows no autocast.
    device = next((each.device.type for each in module.parameters() if not each.is_meta), "cpu")
    enabled = torch.is_autocast_enabled
    return lambda: enabled(device)


def compiling() -> Callable[[], bool]:
    """Return what tells whether torch traces a call to compile or export it, and not only runs it."""
    import torch

    found: Callable[[], bool] = torch.compiler.is_compiling
    return found


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
    if getattr(module, "_compiled_call_impl", None) is not None:
        return f"this {kind} computes what module.compile() has made of it: wrap a module that it was not called of"
    return ""
