"""The ONNX file that an engine is built from: in the precision that the engine is to have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.errors import StepFailed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import numpy as np

    from pytest_navigator.core.plain import Parameters

NETWORK = "network.onnx"  # What TensorRT was given, beside the engine; for fp32 it is the parent's own file
CALIBRATED = ("int8", "fp8")  # Precisions that need samples


def changes(parameters: Parameters) -> bool:
    """Whether an engine needs a network of its own."""
    return bool(parameters["precision"] != "fp32")


def axes(path: Path) -> dict[str, dict[int, str]]:
    """Return the name of every dimension of an ONNX file's inputs that has one, by input and axis."""
    import onnx

    graph = onnx.load(path, load_external_data=False).graph
    weights = {initializer.name for initializer in graph.initializer}
    return {
        value.name: {i: dim.dim_param for i, dim in enumerate(value.type.tensor_type.shape.dim) if dim.dim_param}
        for value in graph.input
        if value.name not in weights
    }


def write(parent: Path, parameters: Parameters, samples: Iterable[Mapping[str, np.ndarray]], path: Path) -> list[str]:
    """Write the network; returns what a user should know of it.

    Raises:
        StepFailed: it cannot be converted; with the converter's reason.
    """
    from pytest_navigator.backends.tensorrt.onnx_precision import write_network

    precision, hierarchy = parameters["precision"], parameters["precision_mode"] == "hierarchy"
    feeds = [dict(sample) for sample in samples] if precision in CALIBRATED else []
    try:
        changed = write_network(str(parent), str(path), precision, feeds, hierarchy)
    except Exception as error:
        text = f"the ONNX file cannot be converted to {precision}: {error}"
        raise StepFailed(text.splitlines()[0], kind=type(error).__name__) from error
    return [] if changed else [f"the file has Q/DQ nodes of its own, which are left as they are for {precision}"]
