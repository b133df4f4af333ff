"""What is asked of coremltools.

Scripts contain the source text of this, so nothing here may use anything but coremltools, torch and numpy.
"""

from __future__ import annotations

from typing import Any


def write(
    source: str,
    path: str,
    inputs: list[dict[str, Any]],
    outputs: list[dict[str, Any]],
    target: str | None,
    options: dict[str, Any],
    *,
    half: bool,
) -> None:
    """Convert an exported program to a folder with an ML program.

    Args:
        inputs, outputs: name, type and shape of each; an axis is a size, or the smallest, usual and largest one.
        target: the oldest system that is to run it.
        options: of `coremltools.convert`. half: whether it computes in float16.
    """
    import coremltools as ct
    import numpy as np
    import torch

    def shape(axes: list[Any]) -> tuple[Any, ...]:
        return tuple(
            ct.RangeDim(lower_bound=axis[0], default=axis[1], upper_bound=axis[2]) if isinstance(axis, list) else axis
            for axis in axes
        )

    taken = [
        ct.TensorType(name=each["name"], shape=shape(each["shape"]), dtype=getattr(np, each["dtype"]))
        for each in inputs
    ]
    given = [ct.TensorType(name=each["name"], dtype=getattr(np, each["dtype"])) for each in outputs]
    # Of ATen's operators coremltools knows the smallest set best.
    ct.convert(
        torch.export.load(source).run_decompositions({}),
        source="pytorch",
        inputs=taken,
        outputs=given,
        convert_to="mlprogram",
        minimum_deployment_target=getattr(ct.target, target) if target else None,
        compute_precision=ct.precision.FLOAT16 if half else ct.precision.FLOAT32,
        skip_model_load=True,
        package_dir=path,
        **options,
    )


def targets() -> list[str]:
    """Return the names of all systems that coremltools knows, aliases too: macOS14 is iOS17."""
    import coremltools as ct

    return [*ct.target.__members__]


def read_spec(path: str) -> dict[str, Any]:
    """Return what a package says of itself: inputs and outputs with names, types and sizes, and its version."""
    import coremltools as ct

    spec = ct.models.MLModel(path, skip_model_load=True).get_spec()

    def told(feature: Any) -> dict[str, Any]:
        array = feature.type.multiArrayType
        ranges = [[each.lowerBound, each.upperBound] for each in array.shapeRange.sizeRanges]
        kind = array.ArrayDataType.Name(array.dataType).lower()
        return {"name": feature.name, "dtype": kind, "sizes": ranges or [[size, size] for size in array.shape]}

    found = {"inputs": [*map(told, spec.description.input)], "outputs": [*map(told, spec.description.output)]}
    return {"specification_version": spec.specificationVersion, **found}


def open_model(path: str, units: str) -> Any:
    """Return the model, loaded by Core ML: on macOS only."""
    import coremltools as ct

    return ct.models.MLModel(path, compute_units=getattr(ct.ComputeUnit, units))
