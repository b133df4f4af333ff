"""How a runtime runs a model: on which of its parts each node is, where a compiler has cut it; as text for people."""

from __future__ import annotations

from dataclasses import dataclass, field

CPU = "CPUExecutionProvider"

MOST = 20  # Nodes, and graph breaks, that a record names
SHOWN = 4  # Of those, what a line shows


@dataclass(frozen=True)
class PlacedNode:
    """A node of an ONNX file ("" where the file gives it no name), its operator, and what runs it."""

    name: str
    operator: str
    provider: str

    @property
    def text(self) -> str:
        """`Inverse_4 (Inverse)`."""
        return f"{self.name} ({self.operator})" if self.name else self.operator


@dataclass(frozen=True)
class NodeAssignment:
    """On which execution provider of ONNX Runtime the nodes of a file are.

    Attributes:
        meant: the provider that the runner is for.
        nodes: provider -> how many nodes it runs.
        elsewhere: provider other than that one -> how many nodes it runs that compute more than shapes.
        named: those nodes, at most `MOST`.
        shapes: how many more nodes are elsewhere, which compute nothing but shapes.
        unrecorded: why nothing of it is known; "": it is.
    """

    meant: str = ""
    nodes: dict[str, int] = field(default_factory=dict)
    elsewhere: dict[str, int] = field(default_factory=dict)
    named: tuple[PlacedNode, ...] = ()
    shapes: int = 0
    unrecorded: str = ""

    @property
    def total(self) -> int:
        """How many nodes there are."""
        return sum(self.nodes.values())

    @property
    def text(self) -> str:
        """`3 of 212 nodes on the CPU: Inverse_4 (Inverse), ...`; "" where none that computes is elsewhere."""
        parts = [self._on(provider, count) for provider, count in self.elsewhere.items()]
        if parts and self.shapes:
            parts.append(f"{self.shapes} more elsewhere compute shapes only")
        return "; ".join(parts)

    def _on(self, provider: str, count: int) -> str:
        here = [node.text for node in self.named if node.provider == provider]
        more = ", ..." if count > len(here[:SHOWN]) else ""
        return f"{count} of {self.total} nodes on {provider_text(provider)}: {', '.join(here[:SHOWN])}{more}"


@dataclass(frozen=True)
class GraphBreak:
    """Where `torch.compile` goes back to Python: the line of the user's code, `model.py:14`, and why."""

    place: str
    reason: str

    @property
    def text(self) -> str:
        """`model.py:14 (Call to torch._dynamo.graph_break())`."""
        return f"{self.place} ({self.reason})"


@dataclass(frozen=True)
class GraphBreaks:
    """The graph breaks of a compiled model.

    Attributes:
        count: places in the code where there is one.
        named: those places, at most `MOST`.
    """

    count: int = 0
    named: tuple[GraphBreak, ...] = ()

    @property
    def text(self) -> str:
        """`2 graph breaks: model.py:14 (...), model.py:20 (...)`; "" without any."""
        return f"{self.count} graph break{'' if self.count == 1 else 's'}: {self.places}" if self.count else ""

    @property
    def places(self) -> str:
        """`model.py:14 (...), model.py:20 (...)`."""
        more = ", ..." if self.count > len(self.named[:SHOWN]) else ""
        return ", ".join(each.text for each in self.named[:SHOWN]) + more


@dataclass(frozen=True)
class Compilation:
    """What a compiler has done in a step.

    Attributes:
        seconds: that the calls took which compiled, in s.
        graphs: how many were compiled: one for each set of shapes that no other one is for, and part of the model.
        cached: those of them that were taken from what an earlier process has compiled.
    """

    seconds: float = 0.0
    graphs: int = 0
    cached: int = 0

    def __add__(self, other: Compilation) -> Compilation:
        return Compilation(self.seconds + other.seconds, self.graphs + other.graphs, self.cached + other.cached)

    @property
    def text(self) -> str:
        """`2 graphs in 5.9 s, 2 of them from the cache`; "" where nothing was compiled."""
        if not self.graphs:
            return ""
        earlier = f", {self.cached} of them from a cache" if self.cached else ""
        return f"{self.graphs} graph{'' if self.graphs == 1 else 's'} in {self.seconds:.1f} s{earlier}"


def provider_text(provider: str) -> str:
    """Return what people call an execution provider: "the CPU", "CUDA"."""
    return "the CPU" if provider == CPU else provider.removesuffix("ExecutionProvider")
