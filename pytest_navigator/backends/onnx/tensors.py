"""The graphs and tensors of ONNX files, those inside of nodes too; files of any size.

Scripts contain the source text of this, so nothing here may use anything but numpy and ONNX.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pytest_navigator.backends.onnx.names import nodes

# Bytes above which weights go to a file beside the network: one protobuf message holds less than 2 GiB.
LARGE = 1_500_000_000


def save(model: Any, target: str) -> None:
    """Write a network in one file, or with its weights beside it if it is too large for one."""
    import onnx

    large, data = size_of(model) > LARGE, Path(f"{target}.data")
    data.unlink(missing_ok=True)
    onnx.save_model(model, target, save_as_external_data=large, location=data.name if large else None)


def graphs(graph: Any) -> list[Any]:
    """Return a graph and all the graphs in its nodes."""
    inner = [attribute.g for node in graph.node for attribute in node.attribute if attribute.HasField("g")]
    return [graph, *(found for body in inner for found in graphs(body))]


def weights_of(graph: Any) -> list[Any]:
    """Return the initializers of a graph and of the graphs in it."""
    return [tensor for each in graphs(graph) for tensor in each.initializer]


def attributes_of(graph: Any) -> list[Any]:
    """Return the tensors that are attributes of nodes, which mostly have no name."""
    return [attribute.t for node in nodes(graph) for attribute in node.attribute if attribute.HasField("t")]


def values_of(graph: Any) -> list[Any]:
    """Return what the graph says of the types of its values."""
    return [value for each in graphs(graph) for value in (*each.input, *each.output, *each.value_info)]


def size_of(model: Any) -> int:
    """Return the size of the weights in bytes; protobuf itself counts no message above 2 GiB."""
    from math import prod

    import onnx

    kinds = onnx.helper.tensor_dtype_to_np_dtype
    return sum(prod(t.dims) * kinds(t.data_type).itemsize for t in weights_of(model.graph))


def array_of(tensor: Any) -> Any:
    """Return the numbers of a tensor."""
    from onnx import numpy_helper

    return numpy_helper.to_array(tensor)
