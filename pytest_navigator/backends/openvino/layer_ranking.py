"""Which operations of a quantized model add the most to the error: its float model tells the right values.

Each one's own error is had by giving it the float model's values. What that does to the outputs is had by the float
model, to which the error of that one alone is added.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_navigator.backends.openvino.model import untold
from pytest_navigator.backends.openvino.quantizing import quantizable
from pytest_navigator.comparison.layer_errors import LayerError, Noise, worst_first

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Arrays = Mapping[str, np.ndarray]
    Models = Callable[[], Any]

FLOAT32 = {"INFERENCE_PRECISION_HINT": "f32"}

# What stands between an operation and its bias.
CONSTANT = ("Constant", "Convert", "Reshape")


@dataclass(frozen=True)
class Names:
    """What operations are called by: the node of the user's file, and the path of its module, "" if unknown.

    Attributes:
        nodes, paths: by the operations' own names.
    """

    nodes: Mapping[str, str]
    paths: Mapping[str, str]

    def error(self, operation: Any, snr: float, others: Sequence[str]) -> LayerError:
        """Return the record of an operation; others: the paths of all that can be told apart."""
        name = operation.get_friendly_name()
        path, node = self.paths.get(name, ""), self.nodes.get(name, name)
        layer = path if path and sum(each == path or each.startswith(f"{path}.") for each in others) == 1 else node
        return LayerError(layer, operation.get_type_name(), snr, module=path, exclude=(layer,), nodes=(name,))


def ranked(
    floating: Models, quantized: Any, names: Names, arrays: Sequence[np.ndarray], seconds: float
) -> list[LayerError]:
    """Return what each quantized operation adds, the worst first.

    Args:
        floating: makes the float model, a new one each time. quantized: the other one, which is changed.
        arrays: one batch, in the order of the inputs.
        seconds: after which no more errors are followed to the outputs.
    """
    until = time.monotonic() + seconds
    float_model = floating()
    known = {each.get_friendly_name(): each for each in float_model.get_ops()}
    rounded = {name for name, is_rounded in quantizable(quantized).items() if is_rounded and name in known}
    layers = [each for each in quantized.get_ordered_ops() if each.get_friendly_name() in rounded]
    if not layers:
        return []
    ends = {each.get_friendly_name(): _end(each, known).get_friendly_name() for each in layers}
    edges = dict.fromkeys(edge for layer in layers for edge in _edges(layer, known))
    right = _values(float_model, [*edges, *((end, 0) for end in ends.values())], arrays)
    found = _local(quantized, list(edges), list(ends.values()), right)
    paths = [names.paths.get(each.get_friendly_name(), "") for each in layers]
    own = {name: _snr(found[end], right[end, 0]) for name, end in ends.items()}
    errors = [names.error(each, own[each.get_friendly_name()], paths) for each in layers]
    added = {end: found[end] - right[end, 0] for end in ends.values()}
    return worst_first(_followed(errors, ends, added, Noisy(floating(), added, arrays), until))


def _end(operation: Any, known: Mapping[str, Any]) -> Any:
    """Return what adds the bias to an operation, which corrects its error in a quantized model; else the operation."""
    readers = [each.get_node() for each in operation.output(0).get_target_inputs()]
    if len(readers) == 1 and readers[0].get_type_name() == "Add" and readers[0].get_friendly_name() in known:
        others = [each.get_node() for each in readers[0].input_values() if each.get_node() != operation]
        if all(each.get_type_name() in CONSTANT for each in others):
            return readers[0]
    return operation


def _edges(operation: Any, known: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Return the values that an operation starts from and that the float model has, as names and places."""
    found, pending = [], list(operation.input_values())
    while pending:
        value = pending.pop()
        node = value.get_node()
        if node.get_friendly_name() in known and node.get_type_name() not in ("Constant", "FakeQuantize"):
            found.append((node.get_friendly_name(), value.get_index()))
        else:
            pending += node.input_values()
    return found


def _values(model: Any, places: Sequence[tuple[str, int]], arrays: Sequence[np.ndarray]) -> dict[tuple[str, int], Any]:
    """Return values of a model by name and place."""
    nodes = {each.get_friendly_name(): each for each in model.get_ops()}
    wanted = list(dict.fromkeys(places))
    found = _run(_with_results(model, [nodes[name].output(place) for name, place in wanted]), arrays)
    return dict(zip(wanted, found, strict=True))


def _local(
    model: Any, edges: Sequence[tuple[str, int]], ends: Sequence[str], right: Mapping[tuple[str, int], Any]
) -> dict[str, Any]:
    """Return what operations of a quantized model give for right values, by the names of their ends."""
    openvino = untold("openvino")
    nodes, given = {each.get_friendly_name(): each for each in model.get_ops()}, []
    for name, place in edges:
        output = nodes[name].output(place)
        given.append(_parameter(output, right[name, place]))
        for reader in output.get_target_inputs():
            reader.replace_source_output(given[-1].output(0))
    results = [openvino.opset13.result(nodes[name].output(0)) for name in dict.fromkeys(ends)]
    found = _run(openvino.Model(results, given, "local"), [right[edge] for edge in edges])
    return dict(zip(dict.fromkeys(ends), found, strict=True))


class Noisy:
    """A float model to some values of which something can be added.

    Args:
        model: which is changed.
        values: arrays of the shapes and types of the values, by the names of the operations that give them.
        arrays: what it is run on.
    """

    def __init__(self, model: Any, values: Arrays, arrays: Sequence[np.ndarray]) -> None:
        openvino = untold("openvino")
        nodes, given = {each.get_friendly_name(): each for each in model.get_ops()}, []
        for name, value in values.items():
            given.append(_parameter(nodes[name].output(0), value))
            readers = list(nodes[name].output(0).get_target_inputs())
            noisy = openvino.opset13.add(nodes[name].output(0), given[-1])
            for reader in readers:
                reader.replace_source_output(noisy.output(0))
        whole = openvino.Model(model.get_results(), [*model.get_parameters(), *given], "noisy")
        whole.reshape({port: list(array.shape) for port, array in zip(whole.inputs, arrays, strict=False)})
        self._model = openvino.Core().compile_model(whole, "CPU", FLOAT32)
        self._nothing = {name: np.zeros_like(value) for name, value in values.items()}
        self._arrays = arrays
        self._right = self._outputs({})

    def ratio(self, added: Arrays) -> float:
        """Return the signal to noise ratio (dB) of the worst output where something is added to some values alone."""
        return min(_snr(*pair) for pair in zip(self._outputs(added), self._right, strict=True))

    def _outputs(self, added: Arrays) -> list[np.ndarray]:
        given = {**self._nothing, **added}
        return [each.copy() for each in self._model([*self._arrays, *given.values()]).values()]


def _followed(
    errors: Sequence[LayerError], ends: Mapping[str, str], added: Arrays, noisy: Noisy, until: float
) -> list[LayerError]:
    """Return errors with what each does to the outputs, as far as there is time, the worst ones first."""
    followed = []
    for each in sorted(errors, key=lambda error: error.snr):
        end = ends[each.nodes[0]]
        known = each.snr < math.inf and time.monotonic() < until
        followed.append(replace(each, alone=noisy.ratio({end: added[end]})) if known else each)
    return followed


def _parameter(output: Any, value: np.ndarray) -> Any:
    """Return an input in the place of a value."""
    openvino = untold("openvino")
    return openvino.opset13.parameter(openvino.PartialShape(list(value.shape)), output.get_element_type())


def _with_results(model: Any, outputs: Sequence[Any]) -> Any:
    openvino = untold("openvino")
    results = [openvino.opset13.result(each) for each in outputs]
    return openvino.Model(results, model.get_parameters(), "values")


def _run(model: Any, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    compiled = untold("openvino").Core().compile_model(model, "CPU", FLOAT32)
    return [each.copy() for each in compiled(list(arrays)).values()]


def _snr(found: np.ndarray, right: np.ndarray) -> float:
    noise = Noise()
    if right.dtype.kind == "f":
        noise.add(found, right)
    return noise.snr
