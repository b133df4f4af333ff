"""ONNX of a SavedModel, by tf2onnx.

Scripts contain the source text of this, so nothing here may use anything but numpy, ONNX, TensorFlow and tf2onnx.
"""

from __future__ import annotations

from typing import Any


def converted(loaded: Any, signature: str, inputs: dict[str, str], outputs: list[str], opset: int, options: Any) -> Any:
    """Return the ONNX model of one signature of a loaded SavedModel.

    Args:
        inputs: names of the signature's inputs and what they are to be called, in the order that is wanted.
        outputs: names of its outputs, in the order that is wanted.
        options: of `tf2onnx.convert.from_function`.

    Raises:
        ValueError: the model uses operators that ONNX does not have.
    """
    import tensorflow as tf
    import tf2onnx

    function = loaded.signatures[signature]
    found = function.structured_input_signature[1]
    specs = [tf.TensorSpec(found[name].shape, found[name].dtype, name=name) for name in inputs]

    def flat(*tensors: Any) -> list[Any]:
        values = function(**dict(zip(inputs, tensors, strict=True)))
        return [values[name] for name in outputs]

    arguments = {"opset": opset, "custom_op_handlers": {"Erfc": (erfc, [])}, **options}
    model, _ = tf2onnx.convert.from_function(tf.function(flat, autograph=False), input_signature=specs, **arguments)
    if unknown := unknown_operators(model):
        raise ValueError(f"ONNX has no operator for {', '.join(unknown)} of TensorFlow")
    names = {value.name: inputs[value.name.partition(":")[0]] for value in model.graph.input}
    names |= dict(zip([value.name for value in model.graph.output], outputs, strict=True))
    rename(model.graph, names)
    return model


def erfc(context: Any, node: Any, name: str, arguments: Any) -> Any:
    """Write 1 - Erf: ONNX has no complement of the error function, which the exact GELU is made of."""
    import numpy as np
    from tf2onnx import utils

    kind, shape, outputs = context.get_dtype(node.output[0]), context.get_shape(node.output[0]), node.output[:]
    value = node.input[0]
    context.remove_node(node.name)
    erf = context.make_node("Erf", [value], dtypes=[kind], shapes=[shape])
    one = context.make_const(utils.make_name("one"), np.ones((), utils.map_onnx_to_numpy_type(kind)))
    parts = [one.output[0], erf.output[0]]
    return context.make_node("Sub", parts, name=node.name, outputs=outputs, dtypes=[kind], shapes=[shape])


def unknown_operators(model: Any) -> list[str]:
    """Return the operators that tf2onnx left as they are in TensorFlow: it only logs them."""
    import onnx

    opset = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    known = {schema.name for schema in onnx.defs.get_all_schemas_with_history() if schema.since_version <= opset}
    return sorted({node.op_type for node in nodes(model.graph) if not node.domain and node.op_type not in known})


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
