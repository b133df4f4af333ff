"""What TensorFlow computes the outputs of a function in, read from its graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_navigator.comparison.computed import Computed, moved, names, result, settled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    Values = list[Computed]

CASTS = names("Cast Dequantize QuantizeV2")  # Operations that give the same numbers in another type

# Operations whose results are elements of what they take, or their negatives, or constants.
MOVES = names(
    """
    Abs BatchToSpaceND BroadcastTo Concat ConcatV2 Const DepthToSpace DiagV2 DynamicStitch EnsureShape
    ExpandDims Fill Gather GatherNd GatherV2 Identity IdentityN InvertPermutation MatrixBandPart MatrixDiagV3
    Max MaxPool MaxPool3D Maximum Min Minimum MirrorPad Neg OneHot OnesLike Pack Pad PadV2 ParallelConcat
    Placeholder PlaceholderWithDefault ReadVariableOp Relu Relu6 Reshape ResizeNearestNeighbor ResourceGather
    ResourceGatherNd ReverseV2 Roll ScatterNd Select SelectV2 Slice SpaceToBatchND SpaceToDepth Split SplitV
    Squeeze StopGradient StridedSlice TensorListFromTensor TensorListGetItem TensorListReserve TensorListSetItem
    TensorListStack TensorScatterUpdate Tile TopKV2 Transpose Unpack Where ZerosLike
    """
)

LISTS = ("variant", "resource")  # Types that hold tensors of another type: what was put into them is what they are


class Graph:
    """Follows the operations of one graph backwards; what does not lead to an output is never met.

    Args:
        given: what is known of its inputs, by name.
        functions: definitions of the functions that its operations call, by name.
    """

    def __init__(self, given: dict[str, Computed], functions: dict[str, Any]) -> None:
        self._given = given
        self._functions = functions
        self._known: dict[str, Computed] = {}

    def of(self, tensor: Any) -> Computed:
        """Return what a tensor of the graph was computed in."""
        waiting = [tensor]
        while waiting:  # no recursion: graphs are deeper than Python's stack
            if missing := [t for t in waiting[-1].op.inputs if t.name not in self._known]:
                waiting += missing
            else:
                self._note(waiting.pop().op)
        return self._known[tensor.name]

    def _note(self, operation: Any) -> None:
        taken = [self._known[tensor.name] for tensor in operation.inputs]
        inner = INSIDE.get(operation.type, _nothing)(self, operation, taken)
        if inner is None or len(inner) != len(operation.outputs):
            inner = [self._result(operation, out, taken) for out in operation.outputs]
        self._known.update(zip((out.name for out in operation.outputs), inner, strict=True))

    def _result(self, operation: Any, out: Any, taken: Values) -> Computed:
        if out.name in self._given:
            return self._given[out.name]
        if out.dtype.name in LISTS:
            return moved(taken)
        operands = [
            (value, tensor.dtype.base_dtype.name) for value, tensor in zip(taken, operation.inputs, strict=True)
        ]
        return result(operation.type, out.dtype.base_dtype.name, operands, MOVES, CASTS)

    def called(self, name: str, taken: Sequence[Computed]) -> Values | None:
        """Return what a function gives for arguments."""
        from tensorflow.python.framework.function_def_to_graph import function_def_to_graph

        if name not in self._functions:
            return None
        body = function_def_to_graph(self._functions[name], include_library_functions=True)
        inner = Graph({t.name: value for t, value in zip(body.inputs, taken, strict=True)}, self._functions)
        return [inner.of(tensor) for tensor in body.outputs]


def watched(concrete: Any) -> Any:
    """Return the structure that a traced function gives, with what each tensor was computed in in its place."""
    import tensorflow as tf

    library = concrete.graph.as_graph_def().library.function
    graph = Graph({}, {function.signature.name: function for function in library})
    tensors, structure = iter(concrete.outputs), concrete.structured_outputs
    leaves = [graph.of(next(tensors)) if hasattr(leaf, "dtype") else leaf for leaf in tf.nest.flatten(structure)]
    return tf.nest.pack_sequence_as(structure, leaves)


def _nothing(graph: Graph, operation: Any, taken: Values) -> Values | None:
    return None


def _call(graph: Graph, operation: Any, taken: Values) -> Values | None:
    return graph.called(operation.get_attr("f").name, taken)


def _if(graph: Graph, operation: Any, taken: Values) -> Values | None:
    return _joined(
        graph.called(operation.get_attr(branch).name, taken[1:]) for branch in ("then_branch", "else_branch")
    )


def _case(graph: Graph, operation: Any, taken: Values) -> Values | None:
    return _joined(graph.called(branch.name, taken[1:]) for branch in operation.get_attr("branches"))


def _while(graph: Graph, operation: Any, taken: Values) -> Values | None:
    body = operation.get_attr("body").name
    return settled(lambda state: graph.called(body, state) or state, taken)


def _joined(ends: Iterable[Values | None]) -> Values | None:
    known = [end for end in ends if end is not None]
    return [moved(values) for values in zip(*known, strict=True)] or None


# Operations that call functions -> what follows those.
INSIDE: dict[str, Callable[[Graph, Any, Values], Values | None]] = {
    "PartitionedCall": _call,
    "StatefulPartitionedCall": _call,
    "If": _if,
    "StatelessIf": _if,
    "Case": _case,
    "StatelessCase": _case,
    "While": _while,
    "StatelessWhile": _while,
}
