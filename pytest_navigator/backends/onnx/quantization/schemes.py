"""What of ONNX Runtime's options a quantization means, on this processor."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_navigator.core.plain import Parameters

# Of /proc/cpuinfo: instructions that add products of int8 in int32; without them, x86 adds pairs in int16, which
# saturates: of a model with weights of all 8 bits, 24 to 28 % were wrong.
ADDING = ("avx512_vnni", "avx_vnni", "avxvnni", "amx_int8")

# Of MatMulNBits: with the library's own, products of few rows were eight times slower here, and no more exact.
COMPUTED_IN_INT8 = 4

METHODS = {"minmax": "MinMax", "percentile": "Percentile", "entropy": "Entropy"}


def saturates() -> bool:
    """Whether products of int8 saturate on this processor; where nobody tells, an x86 processor's do."""
    if platform.machine().lower() not in ("x86_64", "amd64", "i386", "i686"):
        return False
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return True
    return not any(name in text for name in ADDING)


def signed() -> bool:
    """Whether activations are signed: x86 has instructions for unsigned times signed, others for signed numbers.

    Where those saturate, both are signed and weights have 7 bits.
    """
    return saturates() or platform.machine().lower() not in ("x86_64", "amd64")


def static_options(quantization: Parameters, *, reduced: bool, are_signed: bool) -> tuple[Parameters, Parameters]:
    """Return the options of `quantize_static`, members of enumerations by their names, and its extra options (pure).

    Args:
        quantization: `QuantizationConfig` as plain data.
        reduced: whether weights have 7 bits; are_signed: whether activations have a sign.
    """
    method, symmetric = quantization["calibration_method"] or "minmax", bool(quantization["symmetric"])
    options = {
        "activation_type": "QInt8" if are_signed else "QUInt8",
        "weight_type": "QInt8",
        "calibrate_method": METHODS[method],
        "per_channel": bool(quantization["per_channel"]),
        "reduce_range": reduced,
    }
    extra: dict[str, Any] = {"ActivationSymmetric": symmetric, "CalibTensorRangeSymmetric": symmetric}
    if quantization["percentile"] is not None:
        extra["CalibPercentile"] = quantization["percentile"]
    return options, extra


def dynamic_options(quantization: Parameters, *, reduced: bool) -> Parameters:
    """Return the options of `quantize_dynamic` (pure)."""
    return {"per_channel": bool(quantization["per_channel"]), "reduce_range": reduced}


def described(kind: str, options: Parameters) -> str:
    """Return what was chosen, in ONNX Runtime's words (pure)."""
    bits = ", weights in 7 bits: this processor's products of int8 saturate" if options.get("reduce_range") else ""
    each = "per channel" if options.get("per_channel") else "per tensor"
    if kind == "int8":
        return (
            f"QDQ, activations {options['activation_type']}, weights {options['weight_type']} {each}, "
            f"{options['calibrate_method']}{bits}"
        )
    if kind == "int8-dynamic":
        return f"activations QUInt8 in each inference, weights QInt8 {each}{bits}"
    block = f" in blocks of {options['block_size']}" if options.get("block_size") else ""
    return f"MatMulNBits, weights in 4 bits{block}, accuracy_level {options['accuracy_level']}"
