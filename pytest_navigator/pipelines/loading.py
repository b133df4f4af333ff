"""Formats that stay swapped in until they are unloaded, and what is said of them."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_navigator.pipelines.swapped import Swapped
from pytest_navigator.pipelines.weights import Weights
from pytest_navigator.text import columns

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from contextlib import ExitStack

    import torch

    from pytest_navigator.pipelines.loaded_graph import LoadedGraph
    from pytest_navigator.pipelines.registry import Wrapped

HEADINGS = ("module", "runs", "because")
NOTHING = "nothing is stored for its weights and code: nav.optimize makes formats of it"


@dataclass(frozen=True)
class LoadedModule:
    """What runs in the place of one graph of a module.

    Attributes:
        module: name of the module; graph: name of the graph.
        format, runner: what was loaded; "" where the module's own `forward` stays.
        reason: why it stays, or what the choice rests on.
    """

    module: str
    graph: str
    format: str = ""
    runner: str = ""
    reason: str = ""

    @property
    def title(self) -> str:
        """The format in its runner: "onnx/OnnxCPU", or "eager"."""
        return f"{self.format}/{self.runner}" if self.format else "eager"


@dataclass(frozen=True)
class Loaded:
    """What `nav.load_optimized` has swapped in; `print` shows it.

    Attributes:
        graphs: what runs in the place of each graph of each module.
        swapped: name of a module -> what stands in the place of its `forward`.
    """

    graphs: tuple[LoadedModule, ...]
    swapped: Mapping[str, Swapped] = field(default_factory=dict)

    @property
    def eager(self) -> dict[str, dict[str, int]]:
        """Name of a module -> why calls ran the module itself since it was loaded -> how many."""
        return {name: dict(each.eager) for name, each in self.swapped.items() if each.eager}

    def __str__(self) -> str:
        rows = [(each.graph, each.title, each.reason) for each in self.graphs]
        eager = [
            f"{name} ran eagerly {count} time{'s' * (count != 1)}: {reason}"
            for name, reasons in self.eager.items()
            for reason, count in reasons.items()
        ]
        return "\n".join([*columns([HEADINGS, *rows], indent=""), *eager])


_LOADED: dict[str, ExitStack] = {}

NOTHING_MADE: weakref.WeakKeyDictionary[torch.nn.Module, str] = weakref.WeakKeyDictionary()
"""Why `nav.optimize` has made nothing of a module in this process; in no store, for another pipeline may call it."""


def keep_loaded(
    wrapped: Wrapped,
    graphs: Mapping[str, LoadedGraph],
    fingerprint: str,
    resources: ExitStack,
    changing: Collection[str] = (),
) -> Swapped:
    """Swap formats in until `unload`, or until nobody has the module any more.

    Args:
        fingerprint: of the module as it is now.
        resources: what is closed then.
        changing: names of what calls change in the module.
    """
    unload(wrapped.name)
    swapped = Swapped(wrapped, graphs, weights=Weights(wrapped.module, fingerprint, changing))
    wrapped.replace(swapped)
    # Nothing here may keep the module alive, which what stands in its place does.
    resources.callback(_taken_out, wrapped, weakref.ref(swapped))
    stack = resources.pop_all()
    _LOADED[wrapped.name] = stack
    stack.callback(weakref.finalize(wrapped.module, _close, wrapped.name, stack).detach)
    return swapped


def loaded() -> Iterator[str]:
    """Yield the names of modules that have formats swapped in."""
    yield from list(_LOADED)


def unload(name: str | None = None) -> None:
    """Give one module its own `forward` back, or all, and free the formats; nothing happens where none is loaded."""
    for known in [name] if name is not None else list(_LOADED):
        _close(known, _LOADED.get(known))


def _taken_out(wrapped: Wrapped, swapped: weakref.ref[Swapped]) -> None:
    forward = swapped()
    if forward is not None:
        wrapped.take_out(forward)


def _close(name: str, stack: ExitStack | None) -> None:
    if stack is not None:
        if _LOADED.get(name) is stack:
            del _LOADED[name]
        stack.close()
