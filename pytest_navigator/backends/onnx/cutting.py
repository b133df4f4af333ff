"""ONNX graphs cut at values: each is an output, and whoever reads it reads a new input instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    import numpy as np

    Model = Any
    """An `onnx.ModelProto`."""

RIGHT = "__right"  # Ends the name of the input that stands for a value


def produced(model: Model) -> dict[str, Any]:
    """Return every value of the graph with the node that gives it, in topological order."""
    return {name: node for node in model.graph.node for name in node.output if name}


def types(model: Model) -> dict[str, str]:
    """Return numpy's names of the types of the values, as far as the file says or lets infer them."""
    import onnx

    known = _types(model)
    if all(name in known for name in produced(model)):
        return known
    try:
        return known | _types(onnx.shape_inference.infer_shapes(model))
    except Exception:  # of the library, on whatever it does not know: what the file says is left
        return known


def marked(model: Model, names: Sequence[str]) -> Model:
    """Return a model with more outputs; it computes what it did."""
    import onnx

    copy = type(model)()
    copy.CopyFrom(model)
    there = {value.name for value in model.graph.output}
    copy.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in there)
    return copy


def cut(model: Model, right: Mapping[str, np.ndarray], outputs: Sequence[str]) -> Model:
    """Return the part of a model that computes some values from the nearest right ones.

    Args:
        right: values that are known, by name: each is read as an input of its name with `RIGHT`.
        outputs: what is computed; the inputs are what it reads of the known values, and of the model's own inputs.
    """
    import onnx

    nodes, read = _needed(model, right, outputs)
    part = type(model)()
    part.CopyFrom(_without_graph(model))
    graph = part.graph
    graph.name = model.graph.name
    graph.node.extend(nodes)
    for node in graph.node:
        rename(node, {name: f"{name}{RIGHT}" for name in right})
    held = [each for each in model.graph.initializer if each.name in read]
    graph.initializer.extend(held)
    graph.sparse_initializer.extend(each for each in model.graph.sparse_initializer if each.values.name in read)
    names = {each.name for each in held}
    graph.input.extend(each for each in model.graph.input if each.name in read and each.name not in names)
    graph.input.extend(_input(f"{name}{RIGHT}", array) for name, array in right.items() if name in read)
    graph.output.extend(onnx.ValueInfoProto(name=name) for name in outputs)
    return part


def _needed(model: Model, right: Collection[str], outputs: Sequence[str]) -> tuple[list[Any], set[str]]:
    """Return the nodes between outputs and known values, in the file's order, and the names of all that they read."""
    places = {name: place for place, node in enumerate(model.graph.node) for name in node.output if name}
    found, read, waiting = set[int](), set[str](), list(outputs)
    while waiting:
        place = places.get(waiting.pop())
        if place is not None and place not in found:
            found.add(place)
            own = set(reads(model.graph.node[place]))
            read |= own
            waiting += (name for name in own if name not in right)
    return [node for place, node in enumerate(model.graph.node) if place in found], read


def reads(node: Any) -> Iterator[str]:
    """Yield what a node reads, also in the graphs inside of it."""
    yield from filter(None, node.input)
    for graph in _graphs(node):
        for inner in graph.node:
            yield from reads(inner)
        yield from (value.name for value in graph.output)


def _graphs(node: Any) -> Iterator[Any]:
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def rename(node: Any, names: Mapping[str, str]) -> None:
    """Let a node, and the graphs inside of it, read other values."""
    # Names are unique, those of graphs inside of nodes too.
    for place, name in enumerate(node.input):
        node.input[place] = names.get(name, name)
    for graph in _graphs(node):
        for inner in graph.node:
            rename(inner, names)


def _input(name: str, array: np.ndarray) -> Any:
    import onnx

    return onnx.helper.make_tensor_value_info(name, onnx.helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)


def _without_graph(model: Model) -> Model:
    rest = type(model)(ir_version=model.ir_version, opset_import=model.opset_import)
    rest.functions.extend(model.functions)
    return rest


def _types(model: Model) -> dict[str, str]:
    import onnx

    graph = model.graph
    found = {}
    for value in (*graph.value_info, *graph.output):
        if kind := value.type.tensor_type.elem_type:
            found[value.name] = onnx.helper.tensor_dtype_to_np_dtype(kind).name
    return found
