"""What became of each graph: the format that stands in its place, or why it stays as it is (plain data)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pytest_navigator.pipelines.aliases import Alias  # noqa: TC001  # cattrs reads annotations
from pytest_navigator.pipelines.loaded_graph import Range, Span  # noqa: TC001


@dataclass(frozen=True)
class Choice:
    """What runs in the place of one graph of a module.

    Attributes:
        module: name of the module; graph: name of the graph.
        fingerprint: SHA-256 of the module's weights and code.
        key: digest of the graph's structure.
        format, runner: what was chosen ("onnx", "OnnxCPU"); "" where the module's own `forward` stays.
        reason: why it stays, or what the choice rests on.
        varied: where numbers are tensors, see `Graph.varied`.
        eager_ms, chosen_ms: latency in ms of one recorded call; None where it was not measured.
        package: name of its `.nav` file in the store; "" for none.
        sizes, aliases, numbers: see `LoadedGraph`.
        asked: digest of the calls and the settings that the package was made with.
        slower: whether it stays for speed alone; False where a format is not right, or where an older version chose.
        caveat: what a reader of the two figures must know; "" for nothing.
        spread: by what share they may be others.
    """

    module: str
    graph: str
    fingerprint: str
    key: str
    format: str = ""
    runner: str = ""
    reason: str = ""
    varied: tuple[str, ...] = ()
    eager_ms: float | None = None
    chosen_ms: float | None = None
    package: str = ""
    sizes: tuple[tuple[Range, ...], ...] = ()
    aliases: tuple[Alias, ...] = ()
    asked: str = ""
    slower: bool = False
    numbers: tuple[Span, ...] = ()
    caveat: str = ""
    spread: float = 0.0

    def renamed(self, module: str) -> Choice:
        """Return it as that of a module of another name, and of equal weights and code."""
        return replace(self, module=module, graph=self.graph.replace(self.module, module, 1))
