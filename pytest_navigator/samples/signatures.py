"""Shapes and types of inputs and outputs, as the samples show them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pytest_navigator.core.records import TensorSpec
from pytest_navigator.errors import ConfigError, SourceError, unknown
from pytest_navigator.samples.npz import dtype_name

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from pytest_navigator.samples.flattening import Arrays
    from pytest_navigator.samples.reading import Samples

    DynamicAxes = Mapping[str, Mapping[int, str] | Sequence[int]]

Axis = tuple[str, int]
Sizes = dict[Axis, tuple[int, ...]]


class Run(NamedTuple):
    """One inference of the source.

    Attributes:
        place: what it was, for people: "sample 3", "sample 3 at batch 1".
        batch_size: None without a batch axis.
        inputs, outputs: by name.
    """

    place: str
    batch_size: int | None
    inputs: Arrays
    outputs: Arrays


def infer_inputs(
    samples: Samples,
    batch_dim: int | None,
    dynamic_axes: DynamicAxes | None = None,
    unbatched: Collection[str] = (),
) -> tuple[TensorSpec, ...]:
    """Return what the samples show of the inputs.

    The batch axis and every axis whose size varies are dynamic. Axes that always had equal sizes have one symbol.

    Args:
        samples: what the loader gave.
        batch_dim: the batch axis, None for a model without one.
        dynamic_axes: the user's `{"x": {0: "batch"}}` or `{"x": [0]}`: these, and the batch axis, are dynamic. What
            it says of other names is of the outputs, see `check_output_axes`.
        unbatched: inputs whose axis is not the batch even if it always has its size.

    Raises:
        ConfigError: `dynamic_axes` names an axis that an input does not have, gives one symbol to unequal sizes, or
            leaves out an axis whose size varies.
    """
    arrays = next(iter(samples.kept.values()))
    sizes = {(name, axis): values for name, axes in samples.dims.items() for axis, values in enumerate(axes)}
    possible = {axis: values for axis, values in sizes.items() if axis[1] == batch_dim and axis[0] not in unbatched}
    # An input that is always empty (no detections, an empty cache of one row) does not tell the batch.
    of_batch = next((values for values in possible.values() if any(values)), next(iter(possible.values()), ()))
    batch = {axis for axis, values in possible.items() if values == of_batch}
    varied = [axis for axis, values in sizes.items() if len(set(values)) > 1]
    given = _given(dynamic_axes, arrays) if dynamic_axes is not None else None
    if given is not None:
        _check_given(
            given, sizes, [axis for axis in varied if axis not in batch], set(dynamic_axes or ()) - set(arrays)
        )
    dynamic = batch | set(varied if given is None else given)
    symbols = _symbols([axis for axis in sizes if axis in dynamic], sizes, batch, given or {})
    return tuple(_spec(name, array, symbols, (name, batch_dim) in batch) for name, array in arrays.items())


def infer_outputs(runs: Sequence[Run], inputs: Sequence[TensorSpec], batch_dim: int | None) -> tuple[TensorSpec, ...]:
    """Return what the runs show of the outputs.

    An axis is dynamic if its size varies or if it is the batch. Its symbol is that of the input axis that has its size
    in every run, if there is one.

    Args:
        runs: of the user's batches, and of their first rows, so that the batch varies.
        inputs: what `infer_inputs` gave.
        batch_dim: the batch axis, None for a model without one.

    Raises:
        SourceError: an output has not as many axes, or another type, in another run; or is not there.
    """
    first = runs[0].outputs
    for run in runs[1:]:
        _check_outputs(run, runs[0])
    sizes = {(name, axis): _sizes(runs, name, axis) for name, array in first.items() for axis in range(array.ndim)}
    # Of each run, so that an axis is the batch only if it always went with it.
    of_batch = tuple(run.batch_size for run in runs)
    batch = {axis for axis, values in sizes.items() if axis[1] == batch_dim and values == of_batch}
    dynamic = [axis for axis, values in sizes.items() if axis in batch or len(set(values)) > 1]
    known = _input_symbols(runs, inputs)
    given = {axis: known[sizes[axis]] for axis in dynamic if axis not in batch and sizes[axis] in known}
    given |= {axis: spec.axes[axis[1]] for axis in batch for spec in reversed(inputs) if spec.batched}
    symbols = _symbols(dynamic, sizes, batch, given)
    return tuple(_spec(name, array, symbols, (name, batch_dim) in batch) for name, array in first.items())


def check_output_axes(
    dynamic_axes: DynamicAxes | None, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]
) -> None:
    """Check what `dynamic_axes` says of outputs, as torch's exporter takes it; their axes are inferred all the same.

    Raises:
        ConfigError: a name that is neither an input nor an output, or an axis that an output does not have.
    """
    axes_of = {spec.name: spec.shape for spec in (*inputs, *outputs)}
    for name, axes in (dynamic_axes or {}).items():
        if name not in axes_of:
            raise unknown("input or output in dynamic_axes", name, axes_of)
        for axis in axes:
            if axis not in range(len(axes_of[name])):
                raise ConfigError(f"dynamic_axes: {name!r} has no axis {axis!r}, its shape is {axes_of[name]}")


def with_constant_batch(specs: Sequence[TensorSpec], batch_dim: int | None) -> tuple[TensorSpec, ...]:
    """Return the specs of a model that takes batches of 1 only."""
    return tuple(
        _with_constant_batch(spec, batch_dim) if spec.batched and batch_dim is not None else spec for spec in specs
    )


def row(
    arrays: Mapping[str, np.ndarray], specs: Sequence[TensorSpec], batch_dim: int | None, index: int = 0
) -> dict[str, np.ndarray]:
    """Return one row of a batch, with its batch axis; what is not batched stays."""
    return _taken(arrays, specs, batch_dim, lambda _: [index])


def resized(
    arrays: Mapping[str, np.ndarray], specs: Sequence[TensorSpec], batch_dim: int | None, batch_size: int
) -> dict[str, np.ndarray]:
    """Return a batch of another size: the real rows, again from the first one when they are used up.

    An empty batch has none: zeros (of text: empty ones) stand for them.
    """
    filled = _with_rows(arrays, specs, batch_dim)
    return _taken(filled, specs, batch_dim, lambda size: [i % size for i in range(batch_size)])


def trt_profile(
    samples: Samples, inputs: Sequence[TensorSpec], batch_dim: int | None
) -> dict[str, dict[str, list[int]]]:
    """Return Model Navigator's TensorRT profile of the loader: smallest, usual and largest shape of every input.

    The batch axis starts at 1. Inputs without axes have no shape and are left out.
    """
    return {
        spec.name: _profile(samples.dims[spec.name], batch_dim if spec.batched else None)
        for spec in inputs
        if spec.shape
    }


def optimal_batch_size(largest: int) -> int:
    """Return the batch size that Model Navigator lets TensorRT optimise for: a power of 2 below the largest."""
    return int(2 ** math.ceil(math.floor(math.log2(max(largest, 1))) * 4 / 5))


def _with_constant_batch(spec: TensorSpec, batch_dim: int) -> TensorSpec:
    shape = tuple(1 if axis == batch_dim else size for axis, size in enumerate(spec.shape))
    axes = {axis: symbol for axis, symbol in spec.axes.items() if axis != batch_dim}
    return replace(spec, shape=shape, axes=axes)


def _profile(axes: Sequence[Sequence[int]], batch_axis: int | None) -> dict[str, list[int]]:
    ranges = [
        (1, optimal_batch_size(max(sizes)), max(*sizes, 1))
        if axis == batch_axis
        else (min(sizes), int(np.median(sizes)), max(sizes))
        for axis, sizes in enumerate(axes)
    ]
    return {name: [sizes[i] for sizes in ranges] for i, name in enumerate(("min", "opt", "max"))}


def _taken(
    arrays: Mapping[str, np.ndarray],
    specs: Sequence[TensorSpec],
    batch_dim: int | None,
    rows: Callable[[int], list[int]],
) -> dict[str, np.ndarray]:
    batched = {spec.name for spec in specs if spec.batched}
    return {
        name: array
        if batch_dim is None or name not in batched
        else array.take(np.asarray(rows(array.shape[batch_dim]), np.intp), axis=batch_dim)
        for name, array in arrays.items()
    }


def _with_rows(
    arrays: Mapping[str, np.ndarray], specs: Sequence[TensorSpec], batch_dim: int | None
) -> dict[str, np.ndarray]:
    # A batch that has no row has none to repeat.
    empty = {spec.name for spec in specs if spec.batched and arrays[spec.name].shape[batch_dim or 0] == 0}
    return {
        name: np.zeros([1 if axis == batch_dim else size for axis, size in enumerate(array.shape)], array.dtype)
        if name in empty
        else array
        for name, array in arrays.items()
    }


def _given(dynamic_axes: DynamicAxes, arrays: Arrays) -> dict[Axis, str]:
    given = {}
    for name, axes in dynamic_axes.items():
        if name not in arrays:
            continue
        for axis in axes:
            if axis not in range(arrays[name].ndim):
                raise ConfigError(
                    f"dynamic_axes: input {name!r} has no axis {axis!r}, its shape is {arrays[name].shape}"
                )
            given[name, axis] = axes[axis] if isinstance(axes, Mapping) else ""
    return given


def _check_given(given: Mapping[Axis, str], sizes: Sizes, varied: Sequence[Axis], not_inputs: Collection[str]) -> None:
    names = ", ".join(map(repr, sorted(not_inputs)))
    hint = f"; {names} is no input (inputs: {', '.join(dict.fromkeys(n for n, _ in sizes))})" if names else ""
    for axis in varied:
        if axis not in given:
            change = f"{min(sizes[axis])} to {max(sizes[axis])}"
            raise ConfigError(f"dynamic_axes lacks {_axis(axis)}, whose size varies in the loader ({change}){hint}")
    owners: dict[str, Axis] = {}
    for axis, symbol in given.items():
        owner = owners.setdefault(symbol, axis) if symbol else axis
        for sample, (here, there) in enumerate(zip(sizes[axis], sizes[owner], strict=True)):
            if here != there:
                raise ConfigError(
                    f"dynamic_axes calls {_axis(owner)} and {_axis(axis)} {symbol!r}, "
                    f"but sample {sample} has the sizes {there} and {here}"
                )


def _symbols(
    dynamic: Sequence[Axis], sizes: Sizes, batch: Collection[Axis], given: Mapping[Axis, str]
) -> dict[Axis, str]:
    """Return the symbol of every dynamic axis: its own given one, else that of the axes of equal sizes.

    The batch is apart from them: a batch that has as many rows as a row has elements is a coincidence.
    """
    shared: dict[tuple[bool, tuple[int, ...]], str] = {}
    for axis in dynamic:
        if given.get(axis):
            shared.setdefault((axis in batch, sizes[axis]), given[axis])
    for axis in dynamic:
        name = "batch" if axis in batch else re.sub(r"\W", "_", f"{axis[0]}_{axis[1]}")
        shared.setdefault((axis in batch, sizes[axis]), _unused(name, {*shared.values(), *given.values()}))
    return {axis: given.get(axis) or shared[axis in batch, sizes[axis]] for axis in dynamic}


def _unused(name: str, used: Collection[str]) -> str:
    while name in used:
        name += "_"
    return name


def _input_symbols(runs: Sequence[Run], inputs: Sequence[TensorSpec]) -> dict[tuple[int, ...], str]:
    """Return the symbols of the inputs by the sizes that they have in the runs, those of the first inputs in front."""
    known: dict[tuple[int, ...], str] = {}
    for spec in inputs:
        for axis, symbol in spec.axes.items():
            known.setdefault(tuple(run.inputs[spec.name].shape[axis] for run in runs), symbol)
    return known


def _sizes(runs: Sequence[Run], name: str, axis: int) -> tuple[int, ...]:
    return tuple(run.outputs[name].shape[axis] for run in runs)


def _check_outputs(run: Run, first: Run) -> None:
    if run.outputs.keys() != first.outputs.keys():
        raise SourceError(
            f"the model gives the outputs {', '.join(run.outputs)} on {run.place}, "
            f"{', '.join(first.outputs)} on {first.place}"
        )
    for name, array in run.outputs.items():
        expected = first.outputs[name]
        if array.ndim != expected.ndim:
            raise SourceError(
                f"output {name!r} has shape {array.shape} on {run.place}, {expected.shape} on {first.place}: "
                "not as many axes"
            )
        if dtype_name(array.dtype) != dtype_name(expected.dtype):
            raise SourceError(
                f"output {name!r} is {dtype_name(array.dtype)} on {run.place}, "
                f"{dtype_name(expected.dtype)} on {first.place}"
            )


def _spec(name: str, array: np.ndarray, symbols: Mapping[Axis, str], batched: bool) -> TensorSpec:
    axes = {axis: symbols[name, axis] for axis in range(array.ndim) if (name, axis) in symbols}
    shape = tuple(-1 if axis in axes else size for axis, size in enumerate(array.shape))
    return TensorSpec(name, shape, dtype_name(array.dtype), axes, batched)


def _axis(axis: Axis) -> str:
    return f"axis {axis[1]} of input {axis[0]!r}"
