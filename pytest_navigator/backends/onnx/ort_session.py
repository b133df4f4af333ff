"""Sessions of ONNX Runtime: their options, and inputs and outputs that are on a device.

Scripts contain the source text of this, so nothing here may use anything but ONNX Runtime and what `ort_values` uses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_navigator.backends.onnx.ort_values import ort_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# SessionOptions' attributes that take a member of an enumeration of onnxruntime, by its name.
ENUMERATIONS = {
    "graph_optimization_level": "GraphOptimizationLevel",
    "execution_mode": "ExecutionMode",
    "execution_order": "ExecutionOrder",
}


# What is left out of the optimizations of float16: it ends the process where a cast to float32 follows a Transpose
# (onnxruntime 28392), and is for convolutions in float32.
UNSAFE_IN_HALF = ["NchwcTransformer"]


def unsafe(parameters: Mapping[str, Any]) -> list[str]:
    """Return the optimizations that a file of these parameters is loaded without."""
    return UNSAFE_IN_HALF if parameters.get("precision") == "fp16" else []


def session_options(values: Mapping[str, Any]) -> Any:
    """Return options with these values; a method like `register_custom_ops_library` is called, with one or a list."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    for name, value in values.items():
        set_option(options, name, value)
    return options


def set_option(options: Any, name: str, value: Any) -> None:
    """Set one option."""
    import onnxruntime

    if callable(getattr(options, name)):
        getattr(options, name)(*(value if isinstance(value, list) else [value]))
    elif name in ENUMERATIONS:
        setattr(options, name, getattr(getattr(onnxruntime, ENUMERATIONS[name]), value))
    else:
        setattr(options, name, value)


def bound(session: Any, feed: Mapping[str, Any], outputs: Iterable[str], device: str) -> Any:
    """Return inputs and outputs for `run_with_iobinding`, on a device."""
    binding = session.io_binding()
    for name, array in feed.items():
        binding.bind_ortvalue_input(name, ort_value(array, device))
    for name in outputs:
        binding.bind_output(name, device)
    return binding
