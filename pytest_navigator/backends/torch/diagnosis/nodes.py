"""Exported programs: interpreted node by node, where what enters or leaves a module is set right before it is used."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import torch

from pytest_navigator.backends.torch.diagnosis.errors import TORCH, nearest
from pytest_navigator.comparison.stretches import Operation, stretch_of
from pytest_navigator.formats.local_values import at_the_end_of, local
from pytest_navigator.formats.stack_lines import common_path, line_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch.fx import Node

    from pytest_navigator.backends.torch.diagnosis.calls import ModuleCall
    from pytest_navigator.formats.local_values import Local

    Scope = tuple[str, int]  # Path of a module in the program, and which call of it


class CutEdges(torch.fx.Interpreter):  # type: ignore[misc]
    """Runs a program; every value at the edge of a module is compared with the live one's, which goes on instead.

    Attributes:
        found: errors, in the order of the nodes: each is of its own piece of the program.
    """

    def __init__(self, program: torch.fx.GraphModule, calls: Sequence[ModuleCall], prefix: str = "") -> None:
        super().__init__(program, garbage_collect_values=False)
        self.found: list[Local] = []
        self._prefix = prefix
        self._calls = {(call.path, call.turn): call for call in calls}
        self._right = self._references(calls)
        self._cut: set[Node] = set()

    def run_node(self, n: Node) -> Any:
        """Run a node, compare what it gives if the live value is known, and give that instead."""
        value = super().run_node(n)
        if not isinstance(value, torch.Tensor) or n not in self._right:
            return value
        right = nearest(value, self._right[n])
        if right is None:
            return value
        sources, piece = self._piece(n)
        inputs = {each.name: self.env[each] for each in sources if isinstance(self.env[each], torch.Tensor)}
        known, again = self._known(n, piece), _again(n, sources, piece)
        stretch = stretch_of(map(_operation, filter(_computes, piece)))
        self.found.append(at_the_end_of(stretch, local(TORCH, right, value, inputs, again, value=n.name, **known)))
        self._cut.add(n)
        return right.clone()  # the next one may write into it

    def _references(self, calls: Sequence[ModuleCall]) -> Mapping[Node, list[torch.Tensor]]:
        """Return the live tensors that a node's value may be, of the modules at whose edges it is."""
        inside: dict[Scope, dict[Node, None]] = defaultdict(dict)
        for node in self.module.graph.nodes:
            for scope in self._scopes(node) if node.op == "call_function" else ():
                inside[scope][node] = None
        found: dict[Node, list[torch.Tensor]] = defaultdict(list)
        for call in calls:
            nodes = inside.get((call.path, call.turn), {})
            for node in nodes:
                if any(user not in nodes for user in node.users):
                    found[node] += call.outputs
                for each in node.all_input_nodes:
                    if each not in nodes and each.op == "call_function":
                        found[each] += call.inputs
        return found

    def _scopes(self, node: Node) -> list[Scope]:
        """Return the modules whose code a node is part of, the innermost last."""
        stack: Mapping[str, tuple[str, Any]] = node.meta.get("nn_module_stack") or {}
        found = []
        for key, (path, _) in stack.items():
            if path == self._prefix or path.startswith(f"{self._prefix}.") or not self._prefix:
                turn = key.rpartition("@")[2] if "@" in key else "0"
                found.append((path.removeprefix(self._prefix).lstrip("."), int(turn) if turn.isdigit() else 0))
        return found

    def _piece(self, node: Node) -> tuple[list[Node], list[Node]]:
        """Return what a piece that ends with a node begins with, and its own nodes with the constants, in order."""
        sources: dict[Node, None] = {}
        own: dict[Node, None] = {}
        waiting = [node]
        while waiting:
            each = waiting.pop()
            if each in self._cut or each.op == "placeholder":
                sources[each] = None
            elif each not in own:
                own[each] = None
                waiting += each.all_input_nodes
        return list(sources), [each for each in self.module.graph.nodes if each in own]

    def _known(self, node: Node, piece: Sequence[Node]) -> dict[str, str]:
        path, turn = self._scope(node)
        call = self._calls.get((path, turn))
        place = _line(node) or (call.place if call else "")
        module = common_path(self._scope(each)[0] for each in piece if _computes(each))
        return {"operator": _operator(node), "node": node.name, "module": module, "location": place}

    def _scope(self, node: Node) -> Scope:
        return (self._scopes(node) or [("", 0)])[-1]


def _computes(node: Node) -> bool:
    return bool(node.op == "call_function")


def _operation(node: Node) -> tuple[Operation, bool]:
    operator = _operator(node)
    return Operation(operator, _line(node)), not node.all_input_nodes or operator == "getitem"


def _line(node: Node) -> str:
    return line_of(node.meta.get("stack_trace") or "")


def _operator(node: Node) -> str:
    name = getattr(node.target, "overloadpacket", node.target)
    return str(getattr(name, "__name__", name)).rpartition(".")[2]


def _again(node: Node, sources: Sequence[Node], piece: Sequence[Node]) -> list[str]:
    """Return the code that computes a piece from the list `x` of what it begins with."""
    return [
        "run = torch.fx.Interpreter(torch.export.load(ARTIFACT).module())",
        "nodes = {node.name: node for node in run.module.graph.nodes}",
        f"run.env = dict(zip([nodes[name] for name in {[each.name for each in sources]}], x))",
        f"for name in {[each.name for each in piece]}:",
        "    run.env[nodes[name]] = run.run_node(nodes[name])",
        f"outputs = run.env[nodes[{node.name!r}]]",
    ]
