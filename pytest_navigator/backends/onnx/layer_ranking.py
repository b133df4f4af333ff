"""Which layers of a quantized ONNX file add the most to the error: its float file tells the right values.

Each layer's own error is had by cutting every edge. What that does to the outputs is had by the float file, in which it
is added to that layer alone: one session, one inference a layer.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from pytest_navigator.backends.onnx.layer_values import grouped, local_values
from pytest_navigator.backends.onnx.quantized_layers import exclusions, layers_of
from pytest_navigator.comparison.layer_errors import LayerError, Noise, worst_first

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_navigator.backends.onnx.cutting import Model
    from pytest_navigator.backends.onnx.probing import Probe
    from pytest_navigator.backends.onnx.quantized_layers import Layer

    Arrays = Mapping[str, np.ndarray]
    Names = Mapping[Layer, tuple[str, ...]]

OWN, ADDED = "__own", "__added"  # End the names of a value before its error is added, and of that


def ranked(floating: Probe, quantized: Probe, feed: Arrays, seconds: float) -> tuple[list[LayerError], int]:
    """Return what each quantized layer adds, the worst first, and how many were not looked into for want of time.

    Args:
        feed: one batch, by the signature's names.
        seconds: after which nothing is begun any more; the worst ones by their own error are taken first.
    """
    until = time.monotonic() + seconds
    layers = layers_of(floating.model, quantized.model)
    known = {value for layer in layers for value in layer.values}
    pairs = zip(layers, exclusions(layers), strict=True)
    names = {layer: each for layer, each in pairs if layer.quantized and each}
    errors: list[LayerError] = []
    for group in grouped(floating, list(names), feed):
        if time.monotonic() < until:
            found, right = local_values(floating, quantized, group, known, feed)
            errors += _of_group(_parts(group, names, found, right), Noisy(floating, right, feed), until)
    done = {node for each in errors for node in each.nodes}
    return worst_first(errors), sum(done.isdisjoint(layer.names) for layer in names)


@dataclass(frozen=True)
class Part:
    """One layer, or all that have one name. `added`: what it adds to each of its values; `error`: without `alone`."""

    error: LayerError
    added: Arrays


def _parts(layers: Sequence[Layer], names: Names, found: Arrays, right: Arrays) -> list[Part]:
    """Return layers by their names, with their own errors."""
    gathered: dict[str, list[Layer]] = {}
    for layer in layers:
        gathered.setdefault(names[layer][0], []).append(layer)
    return [_part(each, names, found, right) for each in gathered.values()]


def _part(layers: Sequence[Layer], names: Names, found: Arrays, right: Arrays) -> Part:
    ratios = [_ratio([(found[name], right[name]) for name in layer.values]) for layer in layers]
    snr, worst = min(ratios), layers[ratios.index(min(ratios))]
    exclude = dict.fromkeys(each for layer in layers for each in names[layer])
    nodes = dict.fromkeys(node for layer in layers for node in layer.names)
    operators = "+".join(dict.fromkeys(layer.operator for layer in layers))
    error = LayerError(
        names[worst][0],
        operators,
        snr,
        module=worst.module,
        location=worst.location,
        exclude=tuple(exclude),
        nodes=tuple(nodes),
    )
    values = [name for layer in layers for name in layer.values if right[name].dtype.kind == "f"]
    with np.errstate(all="ignore"):
        return Part(error, {name: (found[name] - right[name]).astype(right[name].dtype) for name in values})


def _ratio(pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> float:
    noise = Noise()
    for found, right in pairs:
        if right.dtype.kind == "f":
            noise.add(found, right)
    return noise.snr


def _of_group(parts: Sequence[Part], noisy: Noisy, until: float) -> list[LayerError]:
    """Return what parts add, with what comes of that at the outputs, as far as there is time."""
    ordered = sorted((part for part in parts if part.error.snr < math.inf), key=lambda part: part.error.snr)
    return [
        replace(part.error, alone=noisy.ratio(part.added)) if time.monotonic() < until else part.error
        for part in ordered
    ]


class Noisy:
    """A float file to each value of which something can be added.

    Args:
        values: by name, of the type that the file has.
        feed: what it is run on.
    """

    def __init__(self, floating: Probe, values: Arrays, feed: Arrays) -> None:
        there = {name: array for name, array in values.items() if array.dtype.kind == "f"}
        model = _noisy(floating.model, there)
        self._run = floating.prepared(model)
        self._nothing = {f"{name}{ADDED}": np.zeros((), array.dtype) for name, array in there.items()}
        self._given = floating.named(feed)
        self._right = self._outputs({})

    def ratio(self, added: Arrays) -> float:
        """Return the signal to noise ratio (dB) of the worst output where something is added to some values alone."""
        found = self._outputs({f"{name}{ADDED}": array for name, array in added.items()})
        pairs = zip(found, self._right, strict=True)
        return min((_ratio([pair]) for pair in pairs if pair[1].dtype.kind == "f"), default=math.inf)

    def _outputs(self, added: Arrays) -> list[np.ndarray]:
        return self._run({**self._given, **self._nothing, **added})


def _noisy(model: Model, values: Arrays) -> Model:
    """Return a model with an input for each value, which is added to it."""
    import onnx

    copy = type(model)()
    copy.CopyFrom(model)
    nodes = []
    for node in copy.graph.node:
        nodes.append(node)
        for place, name in enumerate(node.output):
            if name in values:
                node.output[place] = f"{name}{OWN}"
                nodes.append(onnx.helper.make_node("Add", [node.output[place], f"{name}{ADDED}"], [name]))
    nodes = [type(node).FromString(node.SerializeToString()) for node in nodes]
    del copy.graph.node[:]
    copy.graph.node.extend(nodes)
    kinds = {name: onnx.helper.np_dtype_to_tensor_dtype(array.dtype) for name, array in values.items()}
    copy.graph.input.extend(
        onnx.helper.make_tensor_value_info(f"{name}{ADDED}", kind, None) for name, kind in kinds.items()
    )
    return copy
