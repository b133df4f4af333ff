"""ONNX files that compute in float16 or bfloat16.

Scripts contain the source text of this, so nothing here may use anything but numpy, ml_dtypes, ONNX and ONNX Runtime.
"""

from __future__ import annotations

from typing import Any

from pytest_navigator.backends.onnx.names import nodes
from pytest_navigator.backends.onnx.tensors import (
    LARGE,
    array_of,
    attributes_of,
    graphs,
    size_of,
    values_of,
    weights_of,
)


def in_half(model: Any, kept: list[str] | None, wide: bool, kept_nodes: tuple[str, ...] = ()) -> Any:
    """Return a model that computes in float16 or, if `wide`, in bfloat16; its inputs and outputs keep their types.

    ONNX Runtime's converter does it; for bfloat16 its float16 becomes bfloat16, with the weights as they were before.

    Args:
        kept: operators that stay in float32, between casts; None: the converter's own list of them.
        kept_nodes: names of nodes that do.
    """
    from onnxruntime.transformers.float16 import convert_float_to_float16
    from onnxruntime.transformers.onnx_model import OnnxModel

    lift_constants(model)
    before = {tensor.name: array_of(tensor) for tensor in weights_of(model.graph)} if wide else {}
    # Shapes are inferred by ONNX's own code, through one protobuf message.
    made = convert_float_to_float16(
        model,
        keep_io_types=True,
        op_block_list=kept,
        node_block_list=list(kept_nodes),
        disable_shape_infer=size_of(model) > LARGE,
    )
    if wide:
        widen(made.graph, before)
    OnnxModel.graph_topological_sort(made.graph)  # the converter puts its casts at the end
    return made


def widen(graph: Any, before: dict[str, Any]) -> None:
    """Make bfloat16 of all float16 in a graph, with weights from `before` where they are there."""
    import ml_dtypes
    import onnx

    half, wide = onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16
    for tensor in [*weights_of(graph), *attributes_of(graph)]:
        if tensor.data_type == half:
            values = before.get(tensor.name, array_of(tensor)).astype(ml_dtypes.bfloat16)
            name = tensor.name
            tensor.CopyFrom(onnx.helper.make_tensor(name, wide, values.shape, values.tobytes(), raw=True))
    for value in values_of(graph):
        if value.type.tensor_type.elem_type == half:
            value.type.tensor_type.elem_type = wide
    for node in nodes(graph):
        for attribute in node.attribute:
            if attribute.name in ("to", "dtype") and attribute.i == half:
                attribute.i = wide


def lift_constants(model: Any) -> None:
    """Make initializers, which have a name, of Constant nodes: the converter skips those of numbers."""
    for graph in reversed(graphs(model.graph)):  # the inner ones first: a new list of nodes holds copies
        left = []
        for node in graph.node:
            tensor = constant_of(node)
            if tensor is None:
                left.append(node)
            else:
                graph.initializer.add().CopyFrom(tensor)
                graph.initializer[-1].name = node.output[0]
        if len(left) < len(graph.node):
            del graph.node[:]
            graph.node.extend(left)


def constant_of(node: Any) -> Any:
    """Return the tensor of a Constant node, None of any other node."""
    import numpy as np
    from onnx import numpy_helper

    kinds = {"value_float": ("f", "f4"), "value_floats": ("floats", "f4")}
    kinds |= {"value_int": ("i", "i8"), "value_ints": ("ints", "i8")}
    if node.op_type != "Constant" or node.domain:
        return None
    (attribute,) = node.attribute
    if attribute.name == "value":
        return attribute.t
    if attribute.name not in kinds:
        return None
    field, kind = kinds[attribute.name]
    return numpy_helper.from_array(np.array(getattr(attribute, field), kind))
