"""A quantized ONNX file with layers as its float file computes them: what quantizing without them would give.

Nothing is calibrated again: the ranges of what stays quantized are those that it has.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_navigator.backends.onnx.cutting import produced, reads, rename, types
from pytest_navigator.backends.onnx.quantized_layers import HALVES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from pytest_navigator.backends.onnx.cutting import Model
    from pytest_navigator.backends.onnx.quantized_layers import Layer

FLOAT = "__float"  # Ends the names of what is added


def left_out(
    floating: Model, quantized: Model, layers: Sequence[Layer], names: Collection[str], folder: Path = Path()
) -> Model:
    """Return the quantized model with some nodes as the float model has them.

    A tensor that no quantized layer gives or takes any more is not rounded any more.

    Args:
        layers: all of the model. names: of the nodes of the float model that are not to be quantized.
        folder: of the float file, where its weights may be in another one.
    """
    out = [each for each in layers if each.quantized and all(node.name in names for node in each.nodes)]
    kept = [each for each in layers if each.quantized and each not in out]
    model = type(quantized)()
    model.CopyFrom(quantized)
    rounded = _rounded(model)
    free = {value for each in out for value in _touched(each)} - {value for each in kept for value in _touched(each)}
    plain = {rounded[value]: value for value in free if value in rounded}
    gone = {value for each in out for value in each.values}
    nodes = [node for node in model.graph.node if gone.isdisjoint(node.output)]
    for node in nodes:
        rename(node, plain)
    nodes += _float_nodes(
        out, types(quantized), {k: v for k, v in rounded.items() if k not in free}, _weights(floating)
    )
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    _add_weights(model, floating, [node for each in out for node in each.nodes], folder)
    return _pruned(model)


def _touched(layer: Layer) -> set[str]:
    return {*layer.values, *(name for node in layer.nodes for name in reads(node))}


def _rounded(model: Model) -> dict[str, str]:
    """Return values that are quantized and back, with the name that they have then."""
    back = {node.input[0]: node.output[0] for node in model.graph.node if node.op_type == "DequantizeLinear"}
    pairs = (node for node in model.graph.node if node.op_type == "QuantizeLinear" and node.output[0] in back)
    return {node.input[0]: back[node.output[0]] for node in pairs}


def _weights(model: Model) -> set[str]:
    return {each.name for each in model.graph.initializer}


def _float_nodes(
    layers: Sequence[Layer], kinds: Mapping[str, str], rounded: Mapping[str, str], weights: Collection[str]
) -> list[Any]:
    """Return the nodes of the float model with the names that their values have in the quantized one."""
    import onnx

    made: list[Any] = []
    own = {name for layer in layers for node in layer.nodes for name in node.output if kinds.get(name) in HALVES}
    for node in (node for layer in layers for node in layer.nodes):
        copy = type(node)()
        copy.CopyFrom(node)
        as_added = own | set(weights)
        renamed = {name: f"{name}{FLOAT}" if name in as_added else rounded.get(name, name) for name in reads(node)}
        for name in (each for each in renamed if kinds.get(each) in HALVES and each not in as_added):
            renamed[name] = f"{name}{FLOAT}{len(made)}"
            made.append(onnx.helper.make_node("Cast", [name], [renamed[name]], to=onnx.TensorProto.FLOAT))
        rename(copy, renamed)
        made.append(copy)
        for place, name in enumerate(copy.output):
            if name in own:
                copy.output[place] = f"{name}{FLOAT}"
                kind = onnx.helper.np_dtype_to_tensor_dtype(_dtype(kinds[name]))
                made.append(onnx.helper.make_node("Cast", [copy.output[place]], [name], to=kind))
    return made


def _dtype(name: str) -> Any:
    import ml_dtypes
    import numpy as np

    return np.dtype(getattr(ml_dtypes, name, name))


def _add_weights(model: Model, floating: Model, nodes: Iterable[Any], folder: Path) -> None:
    import onnx

    wanted = {name for node in nodes for name in reads(node)}
    for each in floating.graph.initializer:
        if each.name in wanted:
            copy = model.graph.initializer.add()
            copy.CopyFrom(each)
            copy.name = f"{each.name}{FLOAT}"
            if copy.external_data:
                onnx.external_data_helper.load_external_data_for_tensor(copy, str(folder))
                del copy.external_data[:]
                copy.data_location = onnx.TensorProto.DEFAULT


def _pruned(model: Model) -> Model:
    """Remove what nobody reads, and put the nodes in order."""
    from onnxruntime.quantization.onnx_model import ONNXModel

    producers, wanted, waiting = produced(model), dict[int, Any](), [value.name for value in model.graph.output]
    while waiting:
        node = producers.get(waiting.pop())
        if node is not None and id(node) not in wanted:
            wanted[id(node)] = node
            waiting += reads(node)
    nodes = [node for node in model.graph.node if id(node) in wanted]
    read = {name for node in nodes for name in reads(node)}
    held = [each for each in model.graph.initializer if each.name in read]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    del model.graph.initializer[:]
    model.graph.initializer.extend(held)
    ONNXModel(model).topological_sort()
    return model
