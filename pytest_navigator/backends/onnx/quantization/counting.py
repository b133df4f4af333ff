"""Which nodes of an ONNX file can be quantized, and which ones are."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from pytest_navigator.backends.onnx.names import nodes
from pytest_navigator.backends.onnx.node_places import place
from pytest_navigator.backends.onnx.tensors import attributes_of, values_of, weights_of
from pytest_navigator.core.facts import QuantizedNodes
from pytest_navigator.errors import StepFailed
from pytest_navigator.formats.quantized_already import quantized_already

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

Model = Any
"""An `onnx.ModelProto`."""

PAIR = ("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear")
INTEGERS = ("MatMulInteger", "ConvInteger", "MatMulNBits", "GatherBlockQuantized", "QAttention")

# Operators that are quantized by kind of file, if their weights are constant (of int8: products of any two).
COMPUTING = {
    "int8": ("Conv", "ConvTranspose", "Gemm", "MatMul", "Gather"),
    "int8-dynamic": ("Conv", "Gemm", "MatMul", "Gather", "LSTM", "Attention"),
    "int4": ("Gemm", "MatMul"),
}
WORDS = {
    "int8": "convolution, linear layer, product or embedding",
    "int8-dynamic": "convolution, linear layer, product with weights, embedding or LSTM",
    "int4": "linear layer or product with weights",
}
MOST_TOLD = 6  # Operators of a model that are told


def places(model: Model) -> list[tuple[str, str]]:
    """Return name and module path of each node."""
    return [(node.name, place(node)[0]) for node in nodes(model.graph)]


def check_float(model: Model, format: str) -> None:
    """Refuse a model that is quantized already.

    Args:
        format: name of what is to be made of it.

    Raises:
        StepFailed: with one of the nodes that say so.
    """
    for node in nodes(model.graph):
        if node.op_type in (*PAIR, *INTEGERS) or node.op_type.startswith(("QLinear", "DynamicQuantize")):
            raise quantized_already(f"{node.op_type} {node.name!r}", format)


def candidates(model: Model, kind: str) -> dict[str, str]:
    """Return the operator of each node that can be quantized, by the node's name."""
    weights, constant = _floats(model, axes=2), {tensor.name for tensor in weights_of(model.graph)}
    for node in nodes(model.graph):  # what is computed of constants alone becomes a weight
        if node.input and constant.issuperset(node.input):
            constant.update(node.output)
            weights.update(node.output if not weights.isdisjoint(node.input) else ())
    return {
        node.name: node.op_type
        for node in nodes(model.graph)
        if node.op_type in COMPUTING[kind] and _fits(node, kind, weights)
    }


def _fits(node: Any, kind: str, weights: Collection[str]) -> bool:
    if node.op_type == "Gather":
        return node.input[0] in weights
    return (kind == "int8" and node.op_type == "MatMul") or any(name in weights for name in node.input[1:])


def _floats(model: Model, axes: int) -> set[str]:
    """Return the names of the weights in floating point that have so many axes, or more."""
    import onnx

    kinds = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16)
    return {tensor.name for tensor in weights_of(model.graph) if tensor.data_type in kinds and len(tensor.dims) >= axes}


def counted(before: Model, after: Model, kind: str, exclude: Sequence[str], kept: Collection[str]) -> QuantizedNodes:
    """Return how many of the nodes that can be quantized are.

    Args:
        before: the model as it was named; after: what the quantizer has made of it.
        exclude: what the user has written; kept: names of the nodes that it means.

    Raises:
        StepFailed: none is.
    """
    possible = candidates(before, kind)
    left = _still_float(possible, after)
    if len(left) < len(possible):
        return QuantizedNodes(len(possible) - len(left), len(possible), tuple(exclude))
    if possible and set(possible) <= set(kept):
        raise StepFailed(f"nothing is left to quantize: exclude={list(exclude)!r} means all {len(possible)} nodes")
    raise StepFailed(f"nothing was quantized: the model has no {WORDS[kind]} that it could be; {_told(before.graph)}")


def _still_float(possible: Mapping[str, str], after: Model) -> set[str]:
    """Return the nodes that are there as they were, and do not read integers alone."""
    found = nodes(after.graph)
    fewer = {name for node in found if node.op_type == "DequantizeLinear" for name in node.output}
    fewer |= {tensor.name for tensor in weights_of(after.graph)} - _floats(after, axes=0)
    # A linear layer may have become a product and a sum.
    same = {"Gemm": ("Gemm", "MatMul")}
    return {
        node.name
        for node in found
        if node.op_type in same.get(possible.get(node.name, ""), (possible.get(node.name),))
        and not fewer.issuperset(node.input[:1] if node.op_type == "Gather" else node.input[:2])
    }


def _told(graph: Any) -> str:
    operators = Counter(node.op_type for node in nodes(graph)).most_common(MOST_TOLD)
    return "its operators are " + ", ".join(f"{count} {name}" for name, count in operators)


def check_half(before: Model, after: Model, name: str) -> None:
    """Refuse a model of which nothing has become narrower.

    Args:
        name: ONNX's of the type, "FLOAT16".

    Raises:
        StepFailed: it has nothing in float32.
    """
    import onnx

    kind = getattr(onnx.TensorProto, name)
    if kind in _types(after) and onnx.TensorProto.FLOAT in _types(before):
        return
    raise StepFailed(f"nothing was converted: the model computes nothing in float32; {_told(before.graph)}")


def _types(model: Model) -> set[int]:
    graph = model.graph
    casts = {a.i for node in nodes(graph) for a in node.attribute if node.op_type == "Cast" and a.name == "to"}
    stored = {tensor.data_type for tensor in [*weights_of(graph), *attributes_of(graph)]}
    return casts | stored | {value.type.tensor_type.elem_type for value in values_of(graph)}


def too_large(model: Model) -> Iterable[str]:
    """Yield what became of the weights that float16 has no number for."""
    import numpy as np
    import onnx

    from pytest_navigator.backends.onnx.tensors import array_of

    most = float(np.finfo(np.float16).max)
    for tensor in weights_of(model.graph):
        if tensor.data_type == onnx.TensorProto.FLOAT and (array := array_of(tensor)).size:
            found = int((np.isfinite(array) & (np.abs(array) > most)).sum())
            if found:
                yield f"{found} of {array.size} numbers of {tensor.name} are beyond float16 and became {most:g}"
