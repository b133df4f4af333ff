"""Names in ONNX files, whatever the exporter made of them.

Scripts contain the source text of this, so nothing here may use anything but ONNX.
"""

from __future__ import annotations

from typing import Any


def name_outputs(model: Any, names: list[str]) -> None:
    """Give the outputs their names; one that is an input too, or another output, becomes a copy of that."""
    import onnx

    graph = model.graph
    rename(graph, {name: f"{name}__value" for name in names})
    values = [onnx.ValueInfoProto.FromString(value.SerializeToString()) for value in graph.output]
    own = {value.name for value in graph.input}
    called = {value.name: name for value, name in reversed(list(zip(values, names, strict=True)))}
    called = {value: name for value, name in called.items() if value not in own}
    rename(graph, called)
    for value, name in zip(values, names, strict=True):
        source = called.get(value.name, value.name)
        if source != name:
            graph.node.append(onnx.helper.make_node("Identity", [source], [name]))
        value.name = name
    del graph.output[:]
    graph.output.extend(values)


def nodes(graph: Any) -> list[Any]:
    """Return the nodes of a graph and of the graphs in them (the bodies of loops and branches)."""
    inner = [attribute.g for node in graph.node for attribute in node.attribute if attribute.HasField("g")]
    return [*graph.node, *(node for body in inner for node in nodes(body))]


def rename(graph: Any, names: dict[str, str]) -> None:
    """Give values of a graph other names."""
    for value in (*graph.input, *graph.output, *graph.value_info, *graph.initializer):
        value.name = names.get(value.name, value.name)
    for node in nodes(graph):
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
