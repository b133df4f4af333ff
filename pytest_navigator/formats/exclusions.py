"""What of a model is left as it is: names of nodes and paths of modules, as a user writes them (pure)."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING

from pytest_navigator.errors import StepFailed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MOST_TOLD = 5  # Names of layers that are told where nothing is near to what was written


def excluded(patterns: Iterable[str], nodes: Sequence[tuple[str, str]]) -> list[str]:
    """Return the names of the nodes that are meant by a pattern, in the order of the nodes.

    A pattern is the name of a node, or the path of a module, which stands for all that is in it; "*" is any part.

    Args:
        patterns: `QuantizationConfig.exclude`.
        nodes: name and module path of each node, "" for a path that nobody knows.

    Raises:
        StepFailed: a pattern means no node; with the nearest name.
    """
    found: set[str] = set()
    for pattern in patterns:
        meant = _meaning(pattern)
        names = {name for name, path in nodes if meant.fullmatch(name) or (path and meant.match(f"{path}."))}
        if not names:
            raise StepFailed(_nothing(pattern, nodes))
        found |= names
    return [name for name, _ in nodes if name in found]


def _meaning(pattern: str) -> re.Pattern[str]:
    """Return what matches the name of a node wholly, or the path of a module with a dot behind it at its start."""
    text = ".*".join(map(re.escape, pattern.split("*")))
    return re.compile(rf"{text}(?:\.|$)")


def _nothing(pattern: str, nodes: Sequence[tuple[str, str]]) -> str:
    layers = list(dict.fromkeys(layer for _, path in nodes for layer in _layers(path)))
    near = get_close_matches(pattern, [*layers, *(name for name, _ in nodes)], n=1)
    if near:
        hint = f"did you mean {near[0]!r}?"
    elif layers:
        hint = f"its layers are {', '.join(layers[:MOST_TOLD])}{', ...' if len(layers) > MOST_TOLD else ''}"
    else:
        hint = f"its nodes are {', '.join(name for name, _ in nodes[:MOST_TOLD])}, ...; it has no paths of modules"
    return f"exclude has {pattern!r}, which is no layer and no node of the model: {hint}"


def _layers(path: str) -> Iterable[str]:
    """Yield the path of a module and of all that it is in, the outermost first."""
    parts = path.split(".") if path else []
    return (".".join(parts[: count + 1]) for count in range(len(parts)))
