"""The values of layers of a quantized ONNX file, each computed from its float file's values: every edge is cut.

In one session each layer reads what is right, and gives its own as the next ones read it, that is quantized and back.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_navigator.backends.onnx.cutting import RIGHT, cut, marked, reads, types
from pytest_navigator.backends.onnx.probing import AT_ONCE
from pytest_navigator.backends.onnx.quantized_layers import between

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from pytest_navigator.backends.onnx.cutting import Model
    from pytest_navigator.backends.onnx.probing import Probe
    from pytest_navigator.backends.onnx.quantized_layers import Layer

    Arrays = Mapping[str, np.ndarray]

COPIES = 2  # Of all values, beside those that a session takes and gives: what is added, and to what
AS_READ = "__as_read"  # Ends the name of a value as those read it that come after it


@dataclass(frozen=True)
class Part:
    """What computes values of a quantized file from right ones.

    Attributes:
        model: the part; inputs: of it, by name.
        names: of its outputs, by the names of the values, which are given as those read them that come after them.
        right: what the values should be, and others.
    """

    model: Model
    inputs: Arrays
    names: Mapping[str, str]
    right: Arrays


def part_of(floating: Probe, quantized: Probe, values: Sequence[str], known: Collection[str], feed: Arrays) -> Part:
    """Return what computes values from right ones, which the float file tells.

    Args:
        known: the names of all values that both files have.
        feed: by the signature's names.
    """
    read = {name for value in values for node in between(quantized.nodes, known, value) for name in reads(node)}
    asked = list(dict.fromkeys([*values, *sorted(read & set(known))]))
    right = floating.run(marked(floating.model, asked), floating.named(feed), asked, optimized=False)
    said = types(quantized.model)
    with np.errstate(over="ignore"):  # of what float16 has no number for: that is the error that is looked for
        given = {name: array.astype(said.get(name, array.dtype.name), copy=False) for name, array in right.items()}
    part, names = _read_back(quantized.model, cut(quantized.model, given, values), values)
    own = {f"{name}{RIGHT}": array for name, array in given.items()} | quantized.named(feed)
    return Part(part, {each.name: own[each.name] for each in part.graph.input}, names, right)


def local_values(
    floating: Probe, quantized: Probe, layers: Sequence[Layer], known: Collection[str], feed: Arrays
) -> tuple[Arrays, Arrays]:
    """Return the values of layers, those of the quantized file from right ones and those of the float file, by name.

    Args:
        layers: of which one session can take and give the values, see `grouped`.
        known, feed: as in `part_of`.
    """
    part = part_of(floating, quantized, [value for layer in layers for value in layer.values], known, feed)
    found = quantized.run(part.model, part.inputs, list(part.names.values()))
    return {value: found[name] for value, name in part.names.items()}, part.right


def grouped(floating: Probe, layers: Sequence[Layer], feed: Arrays) -> Iterator[list[Layer]]:
    """Yield layers in groups of which one session takes and gives no more than it should."""
    sizes = _sizes(floating, feed)
    usual, size = max(sizes.values(), default=0), 0
    group: list[Layer] = []
    for layer in layers:
        touched = {*layer.values, *(name for node in layer.nodes for name in reads(node))}
        own = sum(sizes.get(name, usual) for name in touched)
        if group and size + own > AT_ONCE / COPIES:
            yield group
            group, size = [], 0
        group.append(layer)
        size += own
    if group:
        yield group


def _read_back(model: Model, part: Model, values: Sequence[str]) -> tuple[Model, dict[str, str]]:
    """Give values as those read them that come after them; returns the name of each then."""
    held = {each.name: each for each in model.graph.initializer}
    there = {each.name for each in part.graph.initializer}
    pairs, names = _pairs(model), {value: value for value in values}
    for value in (each for each in values if each in pairs):
        names[value] = f"{value}{AS_READ}"
        for node, taken, given in zip(pairs[value], (value, f"{value}__q"), (f"{value}__q", names[value]), strict=True):
            part.graph.node.append(_moved(node, taken, given))
            scales = [each for each in node.input[1:] if each in held and each not in there]
            part.graph.initializer.extend(held[each] for each in scales)
            there.update(scales)
    del part.graph.output[:]
    part.graph.output.extend(_value(name) for name in names.values())
    return part, names


def _pairs(model: Model) -> dict[str, tuple[Any, Any]]:
    """Return what quantizes each value for those that read it, and back."""
    back = {node.input[0]: node for node in model.graph.node if node.op_type == "DequantizeLinear"}
    return {
        node.input[0]: (node, back[node.output[0]])
        for node in model.graph.node
        if node.op_type == "QuantizeLinear" and node.output[0] in back
    }


def _moved(node: Any, taken: str, given: str) -> Any:
    copy = type(node)()
    copy.CopyFrom(node)
    copy.input[0], copy.output[0], copy.name = taken, given, f"{node.name}{AS_READ}"
    return copy


def _value(name: str) -> Any:
    import onnx

    return onnx.ValueInfoProto(name=name)


def _sizes(floating: Probe, feed: Arrays) -> dict[str, int]:
    """Return the sizes of values (B), as far as the file lets infer them for a batch."""
    import onnx

    copy = type(floating.model)()
    copy.CopyFrom(floating.model)
    given = floating.named(feed)
    for value in copy.graph.input:
        if value.name in given:
            value.CopyFrom(
                onnx.helper.make_tensor_value_info(
                    value.name, value.type.tensor_type.elem_type, given[value.name].shape
                )
            )
    del copy.graph.value_info[:]
    try:
        inferred = onnx.shape_inference.infer_shapes(copy)
    except Exception:  # of the library, on whatever it does not know
        return {}
    return {value.name: size for value in inferred.graph.value_info if (size := _size(value))}


def _size(value: Any) -> int:
    dims = value.type.tensor_type.shape.dim
    return 8 * math.prod(dim.dim_value for dim in dims) if all(dim.HasField("dim_value") for dim in dims) else 0
