"""What a model file says of itself, and what follows for the suite."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_navigator.core.plain import structured

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_navigator.configuration.config import NavConfig
    from pytest_navigator.core.plain import JSON
    from pytest_navigator.core.records import Description, TensorSpec


def configured(config: NavConfig, own: Description | None) -> NavConfig:
    """Return the user's configuration with what a file knows better: its batch and its dynamic axes."""
    if own is None:
        return config
    own = named(own, config)
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


def named(own: Description, config: NavConfig) -> Description:
    """Return what a file says, under the names that hold here: the configured ones, else its own, each once."""
    inputs = _renamed(own.inputs, config.input_names)
    outputs = _renamed(own.outputs, config.output_names)
    return replace(own, inputs=inputs, outputs=distinct(outputs, [spec.name for spec in inputs]))


def _renamed(specs: tuple[TensorSpec, ...], names: Sequence[str] | None) -> tuple[TensorSpec, ...]:
    """Return tensors under other names; under their own if the names are not as many, which is said elsewhere."""
    if not names or len(names) != len(specs):
        return specs
    return tuple(replace(spec, name=name) for spec, name in zip(specs, names, strict=True))


def distinct(outputs: Sequence[TensorSpec], taken: Sequence[str]) -> tuple[TensorSpec, ...]:
    """Return outputs under names that nothing else has: a file may list one twice, or call one like an input.

    As for outputs of a live model, the second one is `y__1`, and one that is called like an input `output__x`.
    """
    found: list[TensorSpec] = []
    for spec in outputs:
        name = f"output__{spec.name}" if spec.name in taken else spec.name
        used, i = {*taken, *(other.name for other in found)}, 0
        while (free := f"{name}__{i}" if i else name) in used:
            i += 1
        found.append(replace(spec, name=free))
    return tuple(found)


def _unbatched(inputs: Sequence[TensorSpec], dim: int | None) -> tuple[str, ...]:
    """Return the inputs that cannot be cut into rows: the axis has one size, or is another axis too."""
    inner = {symbol for spec in inputs for axis, symbol in spec.axes.items() if axis != dim}
    return tuple(spec.name for spec in inputs if dim not in spec.axes or spec.axes[dim] in inner)


def facts(config: NavConfig, own: Description) -> dict[str, JSON]:
    """Return what the source step records of a file.

    A file that takes one size of a batch only has no batch axis; `fixed_batch` is that size, 1 if it has no axes or
    nothing but empty inputs.
    There is none where the axis has any size but cannot be cut into rows.
    """
    dim = config.batch_dim
    if dim is None or any(dim in spec.axes for spec in own.inputs):
        return own.data
    of_batch = (spec for spec in own.inputs if spec.name not in config.unbatched)
    fixed = next((spec.shape[dim] for spec in of_batch if len(spec.shape) > dim and spec.shape[dim]), 1)
    return {**own.data, "fixed_batch": fixed, "max_batch_size": fixed}


def misdeclared(seen: Sequence[TensorSpec], own: Description, who: str = "") -> list[str]:
    """Return a note of each output that has another shape than is declared; runtimes warn of it at most.

    Args:
        who: what declares them, if it is not the file itself.
    """
    says = f"{who} says" if who else "the file declares"
    unsaid = structured(own.data.get("outputs_without_shape", ()), tuple[int, ...])
    declared = {spec.name: spec for index, spec in enumerate(own.outputs) if index not in unsaid}
    return [
        f"output {spec.name!r} has the shape {_shape(spec)}, {says} {_shape(declared[spec.name])}"
        for spec in seen
        if spec.name in declared and _differs(spec, declared[spec.name])
    ]


def _differs(seen: TensorSpec, declared: TensorSpec) -> bool:
    if len(seen.shape) != len(declared.shape):
        return True
    return any(size not in (-1, found) for size, found in zip(declared.shape, seen.shape, strict=True))


def _shape(spec: TensorSpec) -> str:
    return f"({', '.join(str(spec.axes.get(axis, size)) for axis, size in enumerate(spec.shape))})"


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
