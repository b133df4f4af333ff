"""What a SavedModel says of itself. Runs in the child."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pytest_navigator.core.records import Description, TensorSpec
from pytest_navigator.errors import SourceError
from pytest_navigator.isolation.causes import error_line

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_navigator.core.plain import Parameters


def describe(path: Path, parameters: Parameters) -> Description:
    """Read the signature that runs: the configured one, "serving_default", or the only one.

    Raises:
        SourceError: it cannot be read, or has no signature, or several that are called otherwise.
    """
    import tensorflow as tf

    from pytest_navigator.backends.tensorflow.runners import signature_name
    from pytest_navigator.backends.tensorflow.source import placed

    try:
        with placed("cpu"):
            loaded = tf.saved_model.load(str(path))
    except Exception as error:
        raise SourceError(f"{path.name} cannot be read as a SavedModel: {error_line(error)}") from error
    name = signature_name(sorted(loaded.signatures), parameters)
    function = loaded.signatures[name]
    taken, given = function.structured_input_signature[1], function.structured_outputs
    batch = bool(taken) and all(_open_first(spec) for spec in taken.values())
    return Description(
        tuple(_spec(key, taken[key], batch) for key in sorted(taken)),
        tuple(_spec(key, given[key], batch) for key in sorted(given)),
        data={"signature": name},
    )


def _open_first(spec: Any) -> bool:
    return bool(spec.shape.rank) and spec.shape[0] is None


def _spec(name: str, spec: Any, batch: bool) -> TensorSpec:
    """Return one tensor; a SavedModel does not say which sizes are equal, but the first one is the batch."""
    if spec.shape.rank is None:
        raise SourceError(f"the SavedModel does not say how many axes {name!r} has: export it with an input signature")
    sizes = spec.shape.as_list()
    axes = {axis: re.sub(r"\W", "_", f"{name}_{axis}") for axis, size in enumerate(sizes) if size is None}
    if batch and 0 in axes:
        axes[0] = "batch"
    shape = tuple(-1 if size is None else size for size in sizes)
    dtype = "bytes" if spec.dtype.name == "string" else spec.dtype.name
    return TensorSpec(name, shape, dtype, axes)
