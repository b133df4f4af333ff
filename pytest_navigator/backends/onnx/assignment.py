"""Which execution provider runs each node of an ONNX file, as ONNX Runtime tells it from 1.24 on."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pytest_navigator.core.execution import MOST, NodeAssignment, PlacedNode

if TYPE_CHECKING:
    from pathlib import Path

# The entry of a session's configuration without which it notes nothing.
ENTRY = "session.record_ep_graph_assignment_info"

SHAPES = ("Shape", "Size")  # Operators that give shapes whatever they take


def told() -> bool:
    """Whether this ONNX Runtime can tell it."""
    import onnxruntime

    return hasattr(onnxruntime.InferenceSession, "get_provider_graph_assignment_info")


def assignment(session: Any, meant: str, path: Path) -> NodeAssignment:
    """Return on which provider each node of a session is that was made with `ENTRY` as "1".

    Args:
        meant: the provider that is to run all of them.
        path: of the file, which is read only where nodes are on another provider.
    """
    import onnxruntime

    if not told():
        return NodeAssignment(meant, unrecorded=f"ONNX Runtime {onnxruntime.__version__} does not tell; 1.24 does")
    parts = session.get_provider_graph_assignment_info()
    nodes = [PlacedNode(n.name, n.op_type, part.ep_name) for part in parts for n in part.get_nodes()]
    others = [node for node in nodes if node.provider != meant]
    of_shapes = shaping(path) if others else set()
    computing = [node for node in others if node.operator not in SHAPES and node.name not in of_shapes]
    return NodeAssignment(
        meant,
        dict(Counter(node.provider for node in nodes)),
        dict(Counter(node.provider for node in computing)),
        tuple(computing[:MOST]),
        len(others) - len(computing),
    )


def shaping(path: Path) -> set[str]:
    """Return the names of the nodes that compute shapes: of nothing but shapes and constants.

    Providers leave these to the CPU on purpose: what they are for is needed there.
    """
    with suppress(Exception):  # without the package onnx, only what always gives shapes is known
        import onnx

        return _of_shapes(onnx.load(str(path), load_external_data=False).graph)
    return set()


def _of_shapes(graph: Any) -> set[str]:
    constant = {tensor.name for tensor in graph.initializer} | {""}
    shapes: set[str] = set()
    found: set[str] = set()
    for node in graph.node:  # in an order in which every value is made before it is used
        if node.op_type == "Constant":
            constant.update(node.output)
        elif node.op_type in SHAPES or (shapes & {*node.input} and {*node.input} <= shapes | constant):
            shapes.update(node.output)
            found.add(node.name)
    return found - {""}
