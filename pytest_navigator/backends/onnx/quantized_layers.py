"""The layers of a quantized ONNX file: which nodes of its float file each one was, and whether it was quantized."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_navigator.backends.onnx.cutting import produced, reads, types
from pytest_navigator.backends.onnx.node_places import place

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from pytest_navigator.backends.onnx.cutting import Model

# What only a quantized file has. ORT's own operators for integers are found by their names.
QUANTIZING = ("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "MatMulNBits", "GatherBlockQuantized")
INTEGER = ("QLinear", "Integer")
WEIGHTY = ("Conv", "ConvTranspose", "Gemm", "MatMul", "Attention", "LSTM", "GRU")
HALVES = ("float16", "bfloat16")


@dataclass(frozen=True, eq=False)
class Layer:
    """What computes values of the float file that the quantized file has too, from others that both have.

    Attributes:
        values: their names, in order.
        nodes: of the float file, in order.
        module, location: of its last node. operator: all that it computes.
        quantized: whether the quantized file computes it in fewer digits: not, if it only reads what others rounded.
    """

    values: tuple[str, ...]
    nodes: tuple[Any, ...]
    module: str
    operator: str
    location: str
    quantized: bool

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its nodes, as far as they have one."""
        return tuple(node.name for node in self.nodes if node.name)


def layers_of(floating: Model, quantized: Model) -> list[Layer]:
    """Return the layers of a quantized file, in the order of the float file."""
    own, others = produced(floating), produced(quantized)
    known = {name for name in own if name in others}
    halves = {name for name, kind in types(quantized).items() if kind in HALVES}
    weights = _matrices(floating)
    found: dict[tuple[str, ...], tuple[list[Any], list[str]]] = {}
    for name in (each for each in own if each in known):
        nodes = between(own, known, name)
        found.setdefault(tuple(node.output[0] for node in nodes), (nodes, []))[1].append(name)
    return [
        _layer(
            values,
            nodes,
            not halves.isdisjoint(values)
            or _is_quantized(nodes, [each for name in values for each in between(others, known, name)], weights),
        )
        for nodes, values in found.values()
    ]


def between(producers: Mapping[str, Any], known: Collection[str], name: str) -> list[Any]:
    """Return the nodes that compute a value from known ones, in order."""
    found: dict[int, Any] = {}
    waiting = [name]
    while waiting:
        node = producers.get(waiting.pop())
        if node is not None and id(node) not in found:
            found[id(node)] = node
            waiting += [each for each in reads(node) if each not in known]
    return [node for node in _in_order(producers) if id(node) in found] if len(found) > 1 else list(found.values())


def exclusions(layers: Sequence[Layer]) -> list[tuple[str, ...]]:
    """Return what excludes each layer: paths of modules and names of nodes, the one that it is called by first.

    A path excludes all that is inside of a module: it stands for a node only where there is no other module in it.
    None of a layer that cannot be excluded: its nodes have no names.
    """
    paths = {place(node)[0] for layer in layers for node in layer.nodes}
    inner = {path.rpartition(".")[0] for path in paths}
    outer = {".".join(path.split(".")[:count]) for path in inner for count in range(path.count(".") + 2)}
    return [_exclusion(layer, outer) for layer in layers]


def _exclusion(layer: Layer, outer: Collection[str]) -> tuple[str, ...]:
    # What has weights gives a layer its name: what follows it, as a Relu, is computed with it.
    nodes = sorted(layer.nodes, key=lambda node: node.op_type not in WEIGHTY)
    paths = {id(node): place(node)[0] for node in nodes}
    names = (paths[id(n)] if paths[id(n)] and paths[id(n)] not in outer else n.name for n in nodes)
    return tuple(dict.fromkeys(filter(None, names))) if all(node.name for node in nodes) else ()


def _layer(values: Sequence[str], nodes: Sequence[Any], quantized: bool) -> Layer:
    module, operator, location = place(nodes[-1])
    kinds = dict.fromkeys(operator if node is nodes[-1] else node.op_type for node in nodes)
    return Layer(tuple(values), tuple(nodes), module, "+".join(kinds), location, quantized)


def _is_quantized(nodes: Sequence[Any], theirs: Sequence[Any], weights: Collection[str]) -> bool:
    """Whether nodes of a quantized file compute what those of the float file did in fewer digits.

    A node that only reads what its neighbours have rounded is not; nor is one that reads its own matrix as it was.
    """
    kinds = {node.op_type for node in theirs}
    if not any(kind in QUANTIZING or any(part in kind for part in INTEGER) for kind in kinds):
        return False
    if not {"QuantizeLinear", "DequantizeLinear"} >= kinds - {node.op_type for node in nodes}:
        return True
    from onnxruntime.quantization.registry import QDQRegistry, QLinearOpsRegistry

    able = QDQRegistry.keys() | QLinearOpsRegistry.keys()
    left = {name for node in theirs if node.op_type != "DequantizeLinear" for name in reads(node)}
    own = {name for node in nodes for name in reads(node) if name in weights}
    return any(node.op_type in able for node in nodes) and own.isdisjoint(left)


def _matrices(model: Model) -> set[str]:
    import onnx

    return {
        each.name for each in model.graph.initializer if len(each.dims) > 1 and each.data_type == onnx.TensorProto.FLOAT
    }


def _in_order(producers: Mapping[str, Any]) -> Iterator[Any]:
    seen: set[int] = set()
    for node in producers.values():
        if id(node) not in seen:
            seen.add(id(node))
            yield node
