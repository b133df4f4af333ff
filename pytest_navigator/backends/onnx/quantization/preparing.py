"""An ONNX file as ONNX Runtime's quantizer takes it, whoever has written it.

Scripts contain the source text of this, so nothing here may use anything but numpy, ONNX and ONNX Runtime.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pytest_navigator.backends.onnx.half import lift_constants
from pytest_navigator.backends.onnx.names import nodes
from pytest_navigator.backends.onnx.tensors import array_of, graphs, save

LOWEST_OPSET = 13  # The first one whose QuantizeLinear knows channels

# Of the optimizer's basic level: what makes other operators of a linear layer, of which no path of a module is known.
NOT_FUSED = ["MatMulAddFusion", "GemmActivationFusion", "TransposeMatmulFusion"]

WEIGHTED = ("Conv", "ConvTranspose", "Gemm", "MatMul", "Gather", "LSTM", "GRU")


def named(source: str) -> Any:
    """Return a model in which each node has a name of its own, constants are initializers, and functions are inlined.

    Exclusions go by the names of nodes, and the quantizer looks for weights among the initializers of the graph.
    """
    import onnx
    from onnx import inliner

    model = onnx.load(source)
    if model.functions:
        model = inliner.inline_local_functions(model)
    lift_constants(model)
    taken: set[str] = set()
    for place, node in enumerate(nodes(model.graph)):
        if not node.name or node.name in taken:
            node.name = f"{node.name or node.op_type}__{place}"
        taken.add(node.name)
    return model


def prepared(source: str, folder: str, split: bool) -> Any:
    """Return a model whose weights are all there as such: no input is one, none is computed, no axis contradicts.

    Args:
        folder: for what ONNX Runtime writes on the way.
        split: make a product and a sum of each linear layer: the quantizers of products know no Gemm.
    """
    model = named(source)
    weights = {tensor.name for tensor in model.graph.initializer}
    # Before IR version 4, each weight was an input as well; torch's exporter says shapes of them that then change.
    for values in (model.graph.input, model.graph.value_info):
        kept = [value for value in values if value.name not in weights]
        del values[:]
        values.extend(kept)
    model = raised(model)
    if to_fold(model.graph):
        model = folded(model, folder)
    if split:
        split_gemms(model)
    return model


def raised(model: Any) -> Any:
    """Return a model of an opset that quantization needs."""
    from onnx import version_converter

    found = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    before = model.ir_version
    if found < LOWEST_OPSET:
        model = version_converter.convert_version(model, LOWEST_OPSET)
    model.ir_version = max(before, 7)
    return model


def to_fold(graph: Any) -> bool:
    """Whether a weight is computed of constants alone, or there are normalizations that belong into the weights."""
    constant = {tensor.name for tensor in graph.initializer} | {""}
    computed: set[str] = set()
    for node in graph.node:  # in an order in which every value is made before it is used
        if node.op_type == "BatchNormalization" or (node.op_type in WEIGHTED and computed & {*node.input}):
            return True
        if node.input and {*node.input} <= constant:
            constant.update(node.output)
            computed.update(node.output)
    return False


def folded(model: Any, folder: str) -> Any:
    """Return a model as ONNX Runtime's optimizer folds it, which names of nodes and values survive.

    One that the optimizer does not load, for its size or for operators of somebody else's, stays as it is.
    """
    import onnx
    import onnxruntime

    source, target = Path(folder, "unfolded.onnx"), Path(folder, "folded.onnx")
    save(model, str(source))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.optimized_model_filepath = str(target)
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    try:
        onnxruntime.InferenceSession(
            str(source), options, providers=["CPUExecutionProvider"], disabled_optimizers=NOT_FUSED
        )
    except Exception as error:
        print(f"ONNX Runtime does not fold the constants of the model: {error}")
        return model
    found = onnx.load(target)
    used = {"" if node.domain == "ai.onnx" else node.domain for node in nodes(found.graph)}
    imports = [entry for entry in found.opset_import if entry.domain in used | {""}]
    del found.opset_import[:]
    found.opset_import.extend(imports)
    return found


def split_gemms(model: Any) -> None:
    """Make a MatMul, which keeps the name, and an Add of each Gemm whose weights are constant."""
    for graph in reversed(graphs(model.graph)):  # the inner ones first: new lists of nodes hold copies
        weights, made = {tensor.name: tensor for tensor in graph.initializer}, []
        for node in graph.node:
            made.append(node)
            if is_linear(node) and node.input[1] in weights:
                made += split(node, graph, weights)
        replace_nodes(graph, made)
    drop_unused(model.graph)


def split(node: Any, graph: Any, weights: dict[str, Any]) -> list[Any]:
    """Make a MatMul of a Gemm; returns the Add of its bias, if it has one."""
    import onnx
    from onnx import numpy_helper

    if any(attribute.name == "transB" and attribute.i for attribute in node.attribute):
        name = f"{node.input[1]}__turned"
        if name not in weights:
            graph.initializer.append(numpy_helper.from_array(array_of(weights[node.input[1]]).T.copy(), name))
            weights[name] = graph.initializer[-1]
        node.input[1] = name
    node.op_type, bias = "MatMul", [name for name in node.input[2:] if name]
    del node.attribute[:]
    del node.input[2:]
    if not bias:
        return []
    added = onnx.helper.make_node("Add", [f"{node.output[0]}__product", *bias], [node.output[0]], f"{node.name}__bias")
    added.metadata_props.extend(node.metadata_props)
    node.output[0] = added.input[0]
    return [added]


def replace_nodes(graph: Any, made: list[Any]) -> None:
    """Give a graph other nodes."""
    del graph.node[:]
    graph.node.extend(made)


def is_linear(node: Any) -> bool:
    """Whether a node is a linear layer, without factors and with its input as it is."""
    import onnx

    values = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
    plain = {"alpha": 1.0, "beta": 1.0, "transA": 0}
    return node.op_type == "Gemm" and all(values.get(name, value) == value for name, value in plain.items())


def drop_unused(graph: Any) -> None:
    """Take out the weights that no node reads any more."""
    read = {name for node in nodes(graph) for name in node.input} | {value.name for value in graph.output}
    read |= {value.name for each in graphs(graph) for value in each.output}
    kept = [tensor for tensor in graph.initializer if tensor.name in read]
    del graph.initializer[:]
    graph.initializer.extend(kept)
