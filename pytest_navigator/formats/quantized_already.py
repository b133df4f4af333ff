"""What all formats that quantize say of a model that is quantized."""

from __future__ import annotations

from pytest_navigator.errors import StepFailed


def quantized_already(where: str, format: str) -> StepFailed:
    """Return the error.

    Args:
        where: what of the model says so: "DynamicQuantizeLinear 'x_quantized'".
        format: name of what was to be made of it.
    """
    return StepFailed(
        f"the model is quantized already ({where}): {format} is made of one in floating point, so give that one"
    )
