"""ONNX files in another precision, for runtimes that compute in what the file says (strongly typed TensorRT).

Scripts contain the source text of this, so nothing here may use anything but numpy, ml_dtypes, ONNX and ONNX Runtime.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pytest_navigator.backends.onnx.half import in_half
from pytest_navigator.backends.onnx.names import nodes
from pytest_navigator.backends.onnx.tensors import array_of, save, weights_of


def write_network(source: str, target: str, precision: str, samples: list[dict[str, Any]], hierarchy: bool) -> bool:
    """Write a model in a precision; returns False where it has Q/DQ nodes of its own, which are left as they are.

    Args:
        precision: "fp16", "bf16", "int8" or "fp8".
        samples: arrays by input name, which int8 and fp8 are calibrated with.
        hierarchy: what does not stand the precision stays wider: operators of ONNX Runtime's list in float32, of a
            quantized model everything else in float16. Otherwise everything is in the precision, and what is not
            quantized in float32.

    Raises:
        ValueError: it is to be quantized, and there are no samples.
    """
    import onnx

    model, quantizes = onnx.load(source), precision in ("int8", "fp8")
    if quantizes and has_quantization(model):
        save(model, target)
        return False
    if quantizes:
        if not samples:
            raise ValueError(f"{precision} needs samples to calibrate with, and there are none")
        quantize(source, target, samples, precision)
        model = onnx.load(target)
    if hierarchy or not quantizes:
        model = in_half(model, None if hierarchy else [], wide=precision == "bf16")
    save(model, target)
    return True


QUANTIZED = ["Conv", "ConvTranspose", "Gemm", "MatMul"]
E4M3_MAX = 448.0
PAIR = ("QuantizeLinear", "DequantizeLinear")


def quantize(source: str, target: str, samples: list[dict[str, Any]], kind: str) -> None:
    """Write a model with Q/DQ nodes before its convolutions and matrix products, as TensorRT's parser takes them.

    ONNX Runtime measures the ranges: the largest absolute value of each tensor in the samples, of each channel of
    weights in int8. Signed and symmetric, and the bias stays as it is: TensorRT refuses zero points and quantized
    biases.

    Args:
        samples: arrays by input name.
        kind: "int8", or "fp8": E4M3, whose largest number stands for the same largest value.
    """
    import onnx

    calibrated(source, target, samples, per_channel=kind == "int8")
    model = onnx.load(target)
    if not has_quantization(model):
        raise ValueError(f"there is nothing to quantize: the model has none of {', '.join(QUANTIZED)} with weights")
    if kind == "fp8":
        in_fp8(model, {tensor.name: array_of(tensor) for tensor in weights_of(onnx.load(source).graph)})
    # Scales in float16, and float8, came with opset 19, which changes nothing else that is there.
    entry = next(entry for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    entry.version, model.ir_version = max(entry.version, 19), max(model.ir_version, 9)
    save(model, target)


def calibrated(source: str, target: str, samples: list[dict[str, Any]], per_channel: bool) -> None:
    """Write a model as ONNX Runtime quantizes it to int8."""
    from onnxruntime import quantization

    left = iter(samples)

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]
        def get_next(self) -> Any:
            return next(left, None)

    quantization.quantize_static(
        source,
        target,
        Reader(),
        quant_format=quantization.QuantFormat.QDQ,
        op_types_to_quantize=QUANTIZED,
        per_channel=per_channel,
        activation_type=quantization.QuantType.QInt8,
        weight_type=quantization.QuantType.QInt8,
        calibrate_method=quantization.CalibrationMethod.MinMax,
        use_external_data_format=Path(f"{source}.data").exists(),
        extra_options={
            "ActivationSymmetric": True,
            "WeightSymmetric": True,
            "QuantizeBias": False,
            "OpTypesToExcludeOutputQuantization": QUANTIZED,
        },
    )


def in_fp8(model: Any, weights: dict[str, Any]) -> None:
    """Make float8 of the int8 in the Q/DQ nodes of a model.

    Args:
        weights: of the model before it was quantized, by name.
    """
    import ml_dtypes
    import numpy as np
    import onnx

    kind, found = onnx.TensorProto.FLOAT8E4M3FN, {tensor.name: tensor for tensor in model.graph.initializer}
    pairs = [node for node in model.graph.node if node.op_type in PAIR]
    wider = {name: array_of(found[name]) * np.float32(127 / E4M3_MAX) for name in {node.input[1] for node in pairs}}
    for node in pairs:
        if node.op_type != "DequantizeLinear" or node.input[0] not in found:
            continue
        stored = node.input[0]
        numbers = weights[stored.removesuffix("_quantized")] / wider[node.input[1]]
        values = numbers.clip(-E4M3_MAX, E4M3_MAX).astype(ml_dtypes.float8_e4m3fn)
        found[stored].CopyFrom(onnx.helper.make_tensor(stored, kind, values.shape, values.tobytes(), raw=True))
    for name, values in wider.items():
        found[name].CopyFrom(onnx.numpy_helper.from_array(values, name))
    for name in {node.input[2] for node in pairs}:
        shape = array_of(found[name]).shape
        found[name].CopyFrom(onnx.helper.make_tensor(name, kind, shape, bytes(int(np.prod(shape))), raw=True))


def has_quantization(model: Any) -> bool:
    """Whether the model was trained or exported with Q/DQ nodes: it is left as it is."""
    return any(node.op_type in PAIR for node in nodes(model.graph))
