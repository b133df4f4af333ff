"""What an ONNX file computes its outputs in, read from its graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_navigator.comparison.computed import Computed, moved, names, result, settled

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Values = list[Computed]

# Operators that give the same numbers in another type.
CASTS = names(
    """
    Cast CastLike DequantizeLinear QuantizeLinear
    """
)

# Operators whose results are elements of what they take, or their negatives, or constants.
MOVES = names(
    """
    Abs CenterCropPad Clip Compress Concat ConcatFromSequence Constant ConstantOfShape DepthToSpace Dropout
    Expand EyeLike Flatten Gather GatherElements GatherND Identity Max MaxPool MaxUnpool Min Neg OneHot Optional
    OptionalGetElement Pad ReduceMax ReduceMin Relu Reshape ReverseSequence Scatter ScatterElements ScatterND
    SequenceAt SequenceConstruct SequenceErase SequenceInsert Slice SpaceToDepth Split SplitToSequence Squeeze
    Tile TopK Transpose Trilu Unique Unsqueeze Upsample Where
    """
)


def watched(path: Path) -> dict[str, Computed]:
    """Return what every output of a file is computed in; its external data is not read."""
    import onnx
    from onnx import inliner

    model = onnx.load(str(path), load_external_data=False)
    if model.functions:
        model = inliner.inline_local_functions(model)
    model = onnx.shape_inference.infer_shapes(model)
    graph = _Graph(model.graph, {}, {})
    return {output.name: graph.of(output.name) for output in model.graph.output}


class _Graph:
    """One graph and the names that it sees of those around it.

    Args:
        types, known: of the names of the graphs around it.
    """

    def __init__(self, graph: Any, types: dict[str, str], known: dict[str, Computed]) -> None:
        self._graph = graph
        self._types = types | _types(graph)
        self._known = dict(known)
        for node in graph.node:  # in an order in which every value is made before it is used
            self._note(node)

    def of(self, name: str) -> Computed:
        """Return what a value was computed in: an input, a weight and "" (an optional one left out) in nothing."""
        return self._known.get(name, Computed())

    def _note(self, node: Any) -> None:
        taken = [self.of(name) for name in node.input]
        operands = [(value, self._type(name)) for value, name in zip(taken, node.input, strict=True) if name]
        inner = INSIDE.get(node.op_type, _nothing)(self, node, taken)
        coarsest = next((dtype for _, dtype in operands if dtype.startswith(("float", "bfloat"))), "")
        for i, name in enumerate(node.output):
            if inner is not None and i < len(inner):
                self._known[name] = inner[i]
            elif name:
                # Nobody knows the types of what an operator of somebody else's gives: those of what it takes.
                self._types.setdefault(name, coarsest)
                self._known[name] = result(node.op_type, self._type(name), operands, MOVES, CASTS)

    def inside(self, node: Any, attribute: str, taken: Values) -> Values:
        """Return what a graph in an attribute gives for its inputs."""
        body = next(a.g for a in node.attribute if a.name == attribute)
        names = [value.name for value in body.input]
        given = dict(zip(names, taken, strict=False))
        inner = _Graph(body, self._types, {**self._known, **given})
        return [inner.of(output.name) for output in body.output]

    def _type(self, name: str) -> str:
        return self._types.get(name, "")


def _types(graph: Any) -> dict[str, str]:
    values = {v.name: v.type.tensor_type.elem_type for v in (*graph.input, *graph.value_info, *graph.output)}
    weights = {tensor.name: tensor.data_type for tensor in graph.initializer}
    sparse = {tensor.values.name: tensor.values.data_type for tensor in graph.sparse_initializer}
    return {name: _name(kind) for name, kind in (values | weights | sparse).items() if kind}


def _name(kind: int) -> str:
    import onnx

    name = str(onnx.TensorProto.DataType.Name(kind)).lower()
    return {"float": "float32", "double": "float64"}.get(name, name)


def _nothing(graph: _Graph, node: Any, taken: Values) -> Values | None:
    return None


def _if(graph: _Graph, node: Any, taken: Values) -> Values:
    ends = [graph.inside(node, branch, []) for branch in ("then_branch", "else_branch")]
    return [moved(values) for values in zip(*ends, strict=True)]


def _loop(graph: _Graph, node: Any, taken: Values) -> Values:
    carried = taken[2:]

    def step(state: Values) -> Values:
        return graph.inside(node, "body", [Computed(), Computed(), *state])[1 : 1 + len(state)]

    end = settled(step, carried)
    return [*end, *graph.inside(node, "body", [Computed(), Computed(), *end])[1 + len(end) :]]


def _scan(graph: _Graph, node: Any, taken: Values) -> Values:
    rows = next(a.i for a in node.attribute if a.name == "num_scan_inputs")
    state, scanned = taken[: len(taken) - rows], taken[len(taken) - rows :]
    end = settled(lambda state: graph.inside(node, "body", [*state, *scanned])[: len(state)], state)
    return [*end, *graph.inside(node, "body", [*end, *scanned])[len(end) :]]


# Operators that run graphs -> what follows those.
INSIDE: dict[str, Callable[[_Graph, Any, Values], Values | None]] = {"If": _if, "Loop": _loop, "Scan": _scan}
