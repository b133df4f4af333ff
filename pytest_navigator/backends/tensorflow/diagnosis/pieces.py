"""The graph of a SavedModel, piece by piece: each is computed from the right values before it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_navigator.backends.tensorflow.diagnosis.layers import Edge, Known
from pytest_navigator.backends.tensorflow.model import to_numpy
from pytest_navigator.backends.tensorflow.source import placed
from pytest_navigator.comparison.stretches import Operation, stretch_of
from pytest_navigator.core.plain import load
from pytest_navigator.errors import NotApplicable
from pytest_navigator.formats.local_values import Library, Local, at_the_end_of, local

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_navigator.backends.tensorflow.runners import SavedModelRunner
    from pytest_navigator.formats.diagnosis import Question

TENSORFLOW = Library(
    to_numpy,
    "import tensorflow as tf\n"
    "from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2 as frozen\n",
    "tf.constant(array)",
)
TRIVIAL = ("Const", "Identity", "Placeholder", "ReadVariableOp")
SPARE = 5.0  # s of the diagnosis that are left for what follows


class Pieces:
    """The frozen graph of a loaded SavedModel, cut where the right values are known."""

    def __init__(self, runner: SavedModelRunner, feed: Mapping[str, np.ndarray]) -> None:
        from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2 as frozen

        self._signature = runner.signature_name
        self._device = runner.device
        self._function = frozen(runner.function, lower_control_flow=False)
        self._graph = self._function.graph
        given = runner.named(runner.tensors(feed))
        # By the names of the placeholders, without the ":0".
        self._right = {
            tensor.name: given[tensor.op.name] for tensor in self._function.inputs if tensor.op.name in given
        }

    @cached_property
    def _names(self) -> dict[str, str]:
        """The tensors of the graph by what they are called in the function that was traced, and is called here."""
        operations = self._graph.get_operations()
        return {_traced(tensor.name): tensor.name for operation in operations for tensor in operation.outputs}

    @cached_property
    def _order(self) -> dict[str, int]:
        return {operation.name: place for place, operation in enumerate(self._graph.get_operations())}

    def errors(self, known: Known, arrays: Mapping[str, np.ndarray], question: Question) -> list[Local]:
        """Compute every known value from the known ones before it.

        Raises:
            NotApplicable: the graph has none of them.
        """
        import tensorflow as tf

        there = [edge for edge in known.edges if edge.name in self._names]
        if not there:
            raise NotApplicable(
                f"none of the {len(known.edges)} values of the model's Keras layers is in the file by name"
            )
        with placed(self._device):
            for edge in there:
                tensor = self._graph.as_graph_element(self._names[edge.name])
                self._right[tensor.name] = tf.cast(tf.constant(arrays[edge.array]), tensor.dtype)
            return [self._error(edge, known.lines) for edge in there if question.left > SPARE]

    def _error(self, edge: Edge, lines: Mapping[str, str]) -> Local:
        value = self._graph.as_graph_element(self._names[edge.name])
        sources, operations = self._piece(value)
        piece = self._function.prune([self._graph.as_graph_element(name) for name in sources], [value])
        inputs = {name: self._right[name] for name in sources}
        (found,) = piece(*inputs.values())
        error = local(
            TENSORFLOW,
            self._right[value.name],
            found,
            {name.replace("/", ".").replace(":", "."): array for name, array in inputs.items()},
            self._again(sources, value.name),
            value=edge.name.rpartition(":")[0],
            operator=value.op.type,
            node=value.op.name,
            module=edge.layer,
            location=edge.place,
        )
        told = ((Operation(each.type, lines.get(_traced(each.name), "")), each.type in TRIVIAL) for each in operations)
        return at_the_end_of(stretch_of(told), error)

    def _piece(self, value: Any) -> tuple[list[str], list[Any]]:
        """Return the nearest right values that a value is computed from, and the operations that do so, in order."""
        found: dict[str, None] = {}
        waiting, own = list(value.op.inputs), {value.op.name: value.op}
        while waiting:
            tensor = waiting.pop()
            if tensor.name in self._right:
                found[tensor.name] = None
            elif tensor.op.name not in own:
                own[tensor.op.name] = tensor.op
                waiting += tensor.op.inputs
        return sorted(found), sorted(own.values(), key=lambda each: self._order[each.name])

    def _again(self, sources: list[str], value: str) -> list[str]:
        return [
            "loaded = tf.saved_model.load(ARTIFACT)",
            f"function = frozen(loaded.signatures[{self._signature!r}], lower_control_flow=False)",
            f"sources = [function.graph.as_graph_element(name) for name in {sources}]",
            f"piece = function.prune(sources, [function.graph.as_graph_element({value!r})])",
            "(outputs,) = piece(*x)",
        ]


def _traced(name: str) -> str:
    """Return what an operation or a tensor of the graph is called in the function that was traced."""
    head, _, rest = name.partition("/")
    return rest if head.endswith("PartitionedCall") else name


def known_values(values: Path, arrays: Path) -> tuple[Known, dict[str, np.ndarray]]:
    """Read what the live model told."""
    with np.load(arrays) as found:
        return load(values, Known), dict(found)
