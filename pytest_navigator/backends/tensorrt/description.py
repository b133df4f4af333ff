"""What a TensorRT engine says of itself. Runs in the child, on the GPU that the engine is for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.core.records import Description, TensorSpec
from pytest_navigator.errors import SourceError, StepFailed

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_navigator.backends.tensorrt.engine import Tensor


def describe(path: Path, backend: str) -> Description:
    """Read inputs, outputs and the optimization profiles.

    Raises:
        SourceError: TensorRT cannot load it here.
    """
    from pytest_navigator.backends.tensorrt.engine import load, tensors

    try:
        loaded = load(path, backend)
    except StepFailed as error:
        raise SourceError(f"{path.name}: {error}") from error
    found = tensors(loaded)
    inputs = [tensor for tensor in found if tensor.is_input]
    ranges = {tensor.name: [list(map(list, shapes)) for shapes in tensor.profiles] for tensor in inputs}
    return Description(
        inputs=tuple(_spec(tensor) for tensor in inputs),
        outputs=tuple(_spec(tensor) for tensor in found if not tensor.is_input),
        data={"backend": backend, "version": loaded.library.__version__, "optimization_profiles": ranges},
    )


def _spec(tensor: Tensor) -> TensorSpec:
    """Return a tensor with a symbol for each axis that changes; TensorRT does not keep ONNX's own."""
    axes = {axis: f"{tensor.name}_{axis}" for axis, size in enumerate(tensor.shape) if size == -1}
    return TensorSpec(tensor.name, tensor.shape, tensor.dtype, axes)
