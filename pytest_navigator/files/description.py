"""What a model file says of itself, and what follows for the suite."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_navigator.configuration.config import NavConfig
    from pytest_navigator.records import JSON
    from pytest_navigator.records import Description
    from pytest_navigator.records import TensorSpec


def configured(config: NavConfig, own: Description | None) -> NavConfig:
    """Return the user's configuration with what a file knows better: its batch and its dynamic axes."""
    if own is None:
        return config
    dim = config.batch_dim
    axes = {spec.name: dict(spec.axes) for spec in own.inputs if spec.axes}
    unbatched = tuple(dict.fromkeys((*config.unbatched, *_unbatched(own.inputs, dim))))
    batched = dim is not None and not {spec.name for spec in own.inputs} <= set(unbatched)
    return replace(
        config,
        batch_dim=dim if batched else None,
        unbatched=unbatched if batched else (),
        dynamic_axes=config.dynamic_axes or axes,
        output_names=config.output_names or tuple(spec.name for spec in own.outputs) or None,
    )


def _unbatched(inputs: Sequence[TensorSpec], dim: int | None) -> tuple[str, ...]:
    """Return the inputs that cannot be cut into rows: the axis has one size, or is another axis too."""
    inner = {symbol for spec in inputs for axis, symbol in spec.axes.items() if axis != dim}
    return tuple(spec.name for spec in inputs if dim not in spec.axes or spec.axes[dim] in inner)


def facts(config: NavConfig, own: Description) -> dict[str, JSON]:
    """Return what the source step records of a file.

    A file that takes one size of a batch only has no batch axis; `fixed_batch` is that size, 1 if it has no axes.
    There is none where the axis has any size but cannot be cut into rows.
    """
    dim = config.batch_dim
    if dim is None or any(dim in spec.axes for spec in own.inputs):
        return own.data
    of_batch = (spec for spec in own.inputs if spec.name not in config.unbatched)
    fixed = next((spec.shape[dim] for spec in of_batch if len(spec.shape) > dim), 1)
    return {**own.data, "fixed_batch": fixed, "max_batch_size": fixed}


def widened(outputs: Sequence[TensorSpec], own: Description | None) -> tuple[TensorSpec, ...]:
    """Return outputs that were seen, with the axes that the file leaves open although their size was always one."""
    known = {spec.name: spec for spec in own.outputs} if own else {}
    return tuple(_widened(spec, known.get(spec.name)) for spec in outputs)


def _widened(seen: TensorSpec, own: TensorSpec | None) -> TensorSpec:
    if own is None or len(own.shape) != len(seen.shape):
        return seen
    axes = {**own.axes, **seen.axes}
    shape = tuple(-1 if axis in axes else size for axis, size in enumerate(seen.shape))
    return replace(seen, shape=shape, axes=dict(sorted(axes.items())))
