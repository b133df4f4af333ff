"""What every Keras layer takes and gives, in the live model and by name in the graph that it is traced to."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from pytest_navigator.backends.tensorflow.source import TensorFlowSource, placed
from pytest_navigator.errors import NotApplicable
from pytest_navigator.formats.traces import is_users, place_of, public_name, users_place
from pytest_navigator.samples.structure import unflatten_call

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np

    from pytest_navigator.formats.diagnosis import Question
    from pytest_navigator.frameworks.base import Source

LARGEST = 2**30  # Bytes of values that are kept of one inference


@dataclass(frozen=True)
class Edge:
    """A value that enters or leaves a layer.

    Attributes:
        name: of the tensor in the traced function ("model/dense/BiasAdd:0").
        layer, kind: path of the layer whose code computes it ("encoder/dense", "" for the model), and its class.
        place: the user's line, "" where there is none.
        array: the name of what is right among the arrays.
    """

    name: str
    layer: str
    kind: str
    place: str
    array: str


@dataclass
class LayerCall:
    """One call of one layer: its path, which call of it that is, where, and the tensors in it and out of it."""

    path: str
    turn: int
    kind: str
    place: str
    taken: list[Any]
    given: list[Any] = field(default_factory=list)
    caller: LayerCall | None = None


@dataclass(frozen=True)
class Known:
    """What the live model tells of its graph.

    Attributes:
        edges: the values at the edges of layers, in the order in which they are computed.
        lines: the user's line of each operation of the traced function, as far as it has one.
    """

    edges: list[Edge]
    lines: dict[str, str]


def known(source: Source, question: Question) -> tuple[Known, dict[str, np.ndarray]]:
    """Return what is known of the graph, and the right arrays.

    Raises:
        NotApplicable: the model is none of TensorFlow, or calls no layers of Keras while it runs.
    """
    if not isinstance(source, TensorFlowSource):
        raise NotApplicable("there is no live Keras model to compare with")
    live = _live_calls(source, question)
    if not live:
        raise NotApplicable(
            "the live model calls no Keras layers while it runs: of a tf.function nothing is seen from outside"
        )
    calls, graph = _traced_calls(source, question)
    traced = {(call.path, call.turn): call for call in calls}
    found, arrays = _joined(live, traced, source.framework.to_numpy)
    lines = {operation.name: _line(operation) for operation in graph.get_operations()}
    return Known(found, {name: line for name, line in lines.items() if line}), arrays


def _live_calls(source: TensorFlowSource, question: Question) -> list[LayerCall]:
    device = source.device()
    with placed(device), caught_layers() as calls:
        feed = {name: source.framework.from_numpy(array, device) for name, array in question.feed().items()}
        call = unflatten_call(question.signature.input_tree, feed)
        source.call(call.args, call.kwargs)
    return [call for call in calls if all(hasattr(tensor, "numpy") for tensor in (*call.taken, *call.given))]


def _traced_calls(source: TensorFlowSource, question: Question) -> tuple[list[LayerCall], Any]:
    """Trace the model with the shapes of the signature, as the export does; the calls and the graph."""
    import tensorflow as tf

    from pytest_navigator.backends.tensorflow.savedmodel_export import AUTOGRAPH, serving, specs

    autograph = question.variant.parameters.get("engine") == AUTOGRAPH.engine
    with placed(source.device()), caught_layers() as calls:
        function = tf.function(serving(source, question.signature), autograph=autograph)
        graph = function.get_concrete_function(*specs(question.signature)).graph
    return [call for call in calls if all(_of(tensor, graph) for tensor in (*call.taken, *call.given))], graph


def _of(tensor: Any, graph: Any) -> bool:
    """Whether a tensor is one of a graph itself: not of the body of a loop in it, nor of the process."""
    return getattr(tensor, "graph", None) is graph


def _joined(
    live: list[LayerCall], traced: dict[tuple[str, int], LayerCall], to_numpy: Callable[[Any], np.ndarray]
) -> tuple[list[Edge], dict[str, np.ndarray]]:
    """Match the calls; a value that one layer gives and the next one takes is one value, of the first."""
    found: dict[str, Edge] = {}
    arrays: dict[str, np.ndarray] = {}
    total = 0
    for call in live:
        other = traced.get((call.path, call.turn))
        if other is None:
            continue
        for right, tensor, owner in _pairs(call, other):
            if tensor.name in found or tensor.op.type == "Placeholder" or total > LARGEST:
                continue
            array = to_numpy(right)
            total += array.nbytes
            key = str(len(arrays))
            arrays[key] = array
            place = _line(tensor.op) or owner.place
            found[tensor.name] = Edge(tensor.name, owner.path, owner.kind, place, key)
    return list(found.values()), arrays


def _pairs(call: LayerCall, traced: LayerCall) -> Iterator[tuple[Any, Any, LayerCall]]:
    """Yield the live and the traced tensors of a call, with the call that computes them: what comes in, its caller."""
    if len(call.taken) == len(traced.taken) and call.caller is not None:
        yield from ((*pair, call.caller) for pair in zip(call.taken, traced.taken, strict=True))
    if len(call.given) == len(traced.given):
        yield from ((*pair, call) for pair in zip(call.given, traced.given, strict=True))


def _line(operation: Any) -> str:
    """Return the innermost line of the user's that made an operation of a graph."""
    frames = [frame for frame in operation.traceback or () if is_users(frame.filename)]
    return f"{public_name(frames[-1].filename)}:{frames[-1].lineno}" if frames else ""


@contextmanager
def caught_layers() -> Iterator[list[LayerCall]]:
    """Note the calls of all Keras layers while the block runs, in the order in which they end."""
    import sys

    import keras

    original = keras.Layer.__call__
    ended: list[LayerCall] = []
    running: list[LayerCall] = []
    turns: Counter[str] = Counter()

    def called(layer: Any, *args: Any, **kwargs: Any) -> Any:
        path = "/".join([*(running[-1].path.split("/") if running and running[-1].path else []), layer.name])
        path = path if running else ""
        place = place_of(type(layer).call) or users_place(sys._getframe(1))
        caller = running[-1] if running else None
        call = LayerCall(path, turns[path], type(layer).__name__, place, _tensors((args, kwargs)), caller=caller)
        turns[path] += 1
        running.append(call)
        try:
            value = original(layer, *args, **kwargs)
        finally:
            running.pop()
        call.given = _tensors(value)
        ended.append(call)
        return value

    keras.Layer.__call__ = called
    try:
        yield ended
    finally:
        keras.Layer.__call__ = original


def _tensors(value: Any) -> list[Any]:
    import keras
    import tensorflow as tf

    return [leaf for leaf in cast("list[Any]", keras.tree.flatten(value)) if tf.is_tensor(leaf)]
