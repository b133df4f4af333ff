"""The precisions in which numbers are computed, and how far each may be off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.errors import unknown

if TYPE_CHECKING:
    from collections.abc import Collection

# Precision -> (tolerance relative to the output's scale, smallest difference that counts at all).
#
# The first comes from `benchmarks/tolerances.py`; docs/tolerances.md has the figures. The second is where the type's
# subnormal numbers have lost their digits; runtimes flush them to zero.
DEFAULTS: dict[str, tuple[float, float]] = {
    "fp64": (1e-9, 1e-300),
    "fp32": (1e-4, 1e-37),
    "tf32": (1e-2, 1e-37),
    "fp16": (2e-2, 1.2e-7),
    "bf16": (1.2e-1, 1e-37),
    "int8": (3e-1, 1.2e-7),
    "fp8": (3e-1, 1.2e-7),
    "int4": (3e-1, 1.2e-7),
}

# Precision of quantized numbers -> the least ratio of signal to noise (dB) and the least cosine of an output.
#
# From `benchmarks/quantization.py`; docs/quantization.md has the figures.
SIGNAL: dict[str, tuple[float, float]] = {"int8": (20.0, 0.95), "int4": (15.0, 0.95)}

# Precisions whose ratio of signal to noise is recorded, whatever judges them.
NOISY = (*SIGNAL, "fp8", "fp16", "bf16")

# Type of an output -> its precision. Floating types that are not here have 8 bits or fewer.
PRECISIONS = {
    "float64": "fp64",
    "complex128": "fp64",
    "float32": "fp32",
    "complex64": "fp32",
    "float16": "fp16",
    "bfloat16": "bf16",
}


def coarsest(*precisions: str) -> str:
    """Return the precision with the loosest default among those that are not ""; "" if all are.

    Raises:
        ConfigError: one of them is no key of `DEFAULTS`.
    """
    said = [precision for precision in precisions if precision]
    for precision in said:
        if precision not in DEFAULTS:
            raise unknown("precision", precision, DEFAULTS)
    return max(said, key=DEFAULTS.__getitem__, default="")


def lowest(dtypes: Collection[str]) -> str:
    """Return the lowest precision among types of numbers, "" if there is none with digits."""
    return next((PRECISIONS[name] for name in ("bfloat16", "float16", "float32", "float64") if name in dtypes), "")
