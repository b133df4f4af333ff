"""Key-value caches of transformers: objects that are no records, as structures of their tensors and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_navigator.core.loaded import loaded
from pytest_navigator.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable

MODULE = "transformers.cache_utils"
DYNAMIC = f"{MODULE}:DynamicCache"
ENCODER_DECODER = f"{MODULE}:EncoderDecoderCache"
LAYERS = (f"{MODULE}:DynamicLayer", f"{MODULE}:DynamicSlidingWindowLayer")
KINDS = (DYNAMIC, ENCODER_DECODER, *LAYERS)

REMEDY = (
    "a DynamicCache and an EncoderDecoderCache of two of them are supported; or turn it off with use_cache=False, in "
    "the sample or as model.config.use_cache = False"
)


CacheField = tuple[str, str, object]  # Attribute, what names have of it ("": nothing), and value


def cache_fields(value: object) -> list[CacheField] | None:
    """Return the parts of a cache, None of anything else.

    Raises:
        SourceError: a cache that is not supported.
    """
    match name_of(value):
        case "DynamicCache":
            return [("layers", "", list(vars(value)["layers"]))]
        case "EncoderDecoderCache":
            parts = (("self_attention_cache", "self"), ("cross_attention_cache", "cross"))
            return [(name, short, getattr(value, name)) for name, short in parts]
        case "DynamicLayer" | "DynamicSlidingWindowLayer":
            return [("keys", "key", getattr(value, "keys", None)), ("values", "value", getattr(value, "values", None))]
        case "":
            return None
    raise SourceError(f"a {MODULE}.{type(value).__name__}: {REMEDY}")


def constants(value: object) -> dict[str, int]:
    """Return the numbers that a layer is made with."""
    window = getattr(value, "sliding_window", None)
    return {"sliding_window": int(window)} if type(window) is int else {}


def is_cache(value: object) -> bool:
    """Whether a value is a cache that is supported, or a layer of one."""
    return f"{MODULE}:{name_of(value)}" in KINDS


def in_tree(tree: object) -> bool:
    """Whether a structure, as `samples.structure` describes it, has a cache in it: a call grows what it is given."""
    if isinstance(tree, dict):
        return tree.get("type") in KINDS or any(map(in_tree, tree.values()))
    return isinstance(tree, list) and any(map(in_tree, tree))


def with_tensors(value: object, change: Callable[[Any], Any]) -> object:
    """Return a cache like this one with other tensors: what `change` makes of each.

    Raises:
        SourceError: a cache that is not supported.
    """
    parts = {name: _changed(part, change) for name, _, part in cache_fields(value) or ()}
    return rebuilt(f"{MODULE}:{name_of(value)}", parts | constants(value))


def _changed(part: object, change: Callable[[Any], Any]) -> object:
    if isinstance(part, list):
        return [with_tensors(layer, change) for layer in part]
    if is_cache(part):
        return with_tensors(part, change)
    return None if part is None else change(part)


def rebuilt(kind: str, values: dict[str, Any]) -> object:
    """Return the cache with these parts; the parts where transformers is not imported."""
    made: Any = loaded(kind)
    if made is None or kind in LAYERS:
        return values
    if kind == ENCODER_DECODER:
        return made(values["self_attention_cache"], values["cross_attention_cache"])
    return made([_filled(layer) for layer in values["layers"]])


def _filled(layer: dict[str, Any]) -> tuple[Any, ...]:
    window = layer.get("sliding_window")
    if window is None:
        return layer["keys"], layer["values"]
    import torch

    return layer["keys"], layer["values"], torch.tensor(window)


def name_of(value: object) -> str:
    """Return the name of a cache's class, or of the class of transformers that it is derived from; "" for others."""
    for cls in type(value).__mro__:
        if cls.__module__ == MODULE:
            return "" if cls.__name__ in ("CacheLayerMixin", "LinearAttentionCacheLayerMixin") else cls.__name__
    return ""
