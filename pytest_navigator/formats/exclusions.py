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
        StepFailed: patterns mean no node; each with the nearest name.
    """
    found = {pattern: _meant(pattern, nodes) for pattern in patterns}
    if wrong := [pattern for pattern, names in found.items() if not names]:
        raise StepFailed(_nothing(wrong, nodes))
    return [name for name, _ in nodes if any(name in names for names in found.values())]


def _meant(pattern: str, nodes: Sequence[tuple[str, str]]) -> set[str]:
    meant = _meaning(pattern)
    return {name for name, path in nodes if meant.fullmatch(name) or (path and meant.match(f"{path}."))}


def _meaning(pattern: str) -> re.Pattern[str]:
    """Return what matches the name of a node wholly, or the path of a module with a dot behind it at its start."""
    text = ".*".join(map(re.escape, pattern.split("*")))
    return re.compile(rf"{text}(?:\.|$)")


def _nothing(wrong: Sequence[str], nodes: Sequence[tuple[str, str]]) -> str:
    layers = list(dict.fromkeys(layer for _, path in nodes for layer in _layers(path)))
    names = [*layers, *(name for name, _ in nodes)]
    near = {pattern: next(iter(get_close_matches(pattern, names, n=1)), None) for pattern in wrong}
    told = "; ".join(
        f"{pattern!r}, which is no layer and no node of the model" + (f": did you mean {name!r}?" if name else "")
        for pattern, name in near.items()
    )
    return f"exclude has {told}" + ("" if all(near.values()) else f": {_there_is(layers, nodes)}")


def _there_is(layers: Sequence[str], nodes: Sequence[tuple[str, str]]) -> str:
    if layers:
        return f"its layers are {', '.join(layers[:MOST_TOLD])}{', ...' if len(layers) > MOST_TOLD else ''}"
    return f"its nodes are {', '.join(name for name, _ in nodes[:MOST_TOLD])}, ...; it has no paths of modules"


def _layers(path: str) -> Iterable[str]:
    """Yield the path of a module and of all that it is in, the outermost first."""
    parts = path.split(".") if path else []
    return (".".join(parts[: count + 1]) for count in range(len(parts)))
