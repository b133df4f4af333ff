"""ONNX of a SavedModel, by tf2onnx.

Scripts contain the source text of this, so nothing here may use anything but numpy, ONNX, TensorFlow, tf2onnx, and
what they contain of `onnx_names`.
"""

from __future__ import annotations

from typing import Any

from pytest_navigator.backends.onnx.names import nodes, rename


def converted(
    loaded: Any, *, signature: str, inputs: dict[str, str], outputs: dict[str, str], opset: int, options: Any
) -> Any:
    """Return the ONNX model of one signature of a loaded SavedModel.

    Args:
        inputs: names of the signature's inputs and what they are to be called, in the order that is wanted.
        outputs: the same of its outputs.
        options: of `tf2onnx.convert.from_function`.

    Raises:
        ValueError: the model uses operators that ONNX does not have.
    """
    import tensorflow as tf
    import tf2onnx

    function = loaded.signatures[signature]
    found = function.structured_input_signature[1]
    specs = [tf.TensorSpec(found[name].shape, found[name].dtype, name=name) for name in inputs]
    call = without_constants(function)

    def flat(*tensors: Any) -> list[Any]:
        values = call(**dict(zip(inputs, tensors, strict=True)))
        return [values[name] for name in outputs]

    arguments = {"opset": opset, "custom_op_handlers": {"Erfc": (erfc, [])}, **options}
    model, _ = tf2onnx.convert.from_function(tf.function(flat, autograph=False), input_signature=specs, **arguments)
    if unknown := unknown_operators(model):
        raise ValueError(f"ONNX has no operator for {', '.join(unknown)} of TensorFlow")
    names = {value.name: inputs.get(value.name.partition(":")[0], value.name) for value in model.graph.input}
    names |= dict(zip([value.name for value in model.graph.output], outputs.values(), strict=True))
    rename(model.graph, names)
    return model


def converted_by_command(
    path: str, made: str, *, signature: str, inputs: dict[str, str], outputs: dict[str, str], opset: int
) -> Any:
    """Return the same by tf2onnx's command, which reads the file itself.

    Args:
        made: where the command writes the model.

    Raises:
        ValueError: the model uses operators that ONNX does not have.
    """
    import sys

    import onnx
    import tf2onnx.convert

    command, line = sys.argv, ["--saved-model", path, "--signature_def", signature, "--opset", str(opset)]
    sys.argv = ["tf2onnx.convert", *line, "--output", made]
    try:
        tf2onnx.convert.main()
    finally:
        sys.argv = command
    model = onnx.load(made)
    if unknown := unknown_operators(model):
        raise ValueError(f"ONNX has no operator for {', '.join(unknown)} of TensorFlow")
    values = {value.name: type(value).FromString(value.SerializeToString()) for value in model.graph.output}
    del model.graph.output[:]
    model.graph.output.extend(values[name] for name in outputs)
    rename(model.graph, {**inputs, **outputs})
    return model


def without_constants(function: Any) -> Any:
    """Return a signature that holds the constants it captures, which tf2onnx would take for inputs."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    resources = [tensor for tensor in function.captured_inputs if tensor.dtype == tf.resource]
    variables = {id(variable.handle) for variable in function.variables}
    # Tables cannot be frozen: tf2onnx's command takes them out.
    if len(resources) == len(function.captured_inputs) or any(id(tensor) not in variables for tensor in resources):
        return function
    frozen = convert_variables_to_constants_v2(function, lower_control_flow=False, aggressive_inlining=True)
    inputs, outputs = sorted(function.structured_input_signature[1]), sorted(function.structured_outputs)

    def call(**tensors: Any) -> dict[str, Any]:
        return dict(zip(outputs, frozen(*(tensors[name] for name in inputs)), strict=True))

    return call


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
