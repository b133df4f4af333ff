"""ONNX files in another precision, for runtimes that compute in what the file says (strongly typed TensorRT).

Scripts contain the source text of this, so nothing here may use anything but numpy, ml_dtypes, ONNX and ONNX Runtime.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

LARGE = 1_500_000_000
"""Bytes above which weights go to a file beside the network: one protobuf message holds less than 2 GiB."""


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


def save(model: Any, target: str) -> None:
    """Write a network in one file, or with its weights beside it if it is too large for one."""
    import onnx

    large, data = model.ByteSize() > LARGE, Path(f"{target}.data")
    data.unlink(missing_ok=True)
    onnx.save_model(model, target, save_as_external_data=large, location=data.name if large else None)


def in_half(model: Any, kept: list[str] | None, wide: bool) -> Any:
    """Return a model that computes in float16 or, if `wide`, in bfloat16; its inputs and outputs keep their types.

    ONNX Runtime's converter does it; for bfloat16 its float16 becomes bfloat16, with the weights as they were before.

    Args:
        kept: operators that stay in float32, between casts; None: the converter's own list of them.
    """
    from onnxruntime.transformers.float16 import convert_float_to_float16

    before = {tensor.name: array_of(tensor) for tensor in tensors(model.graph)} if wide else {}
    made = convert_float_to_float16(
        model, keep_io_types=True, op_block_list=kept, disable_shape_infer=model.ByteSize() > 2**31 - 1
    )
    if wide:
        widen(made.graph, before)
    return made


def widen(graph: Any, before: dict[str, Any]) -> None:
    """Make bfloat16 of all float16 in a graph, with weights from `before` where they are there."""
    import ml_dtypes
    import onnx

    half, wide = onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16
    for tensor in tensors(graph):
        if tensor.data_type == half:
            values = before.get(tensor.name, array_of(tensor)).astype(ml_dtypes.bfloat16)
            name = tensor.name
            tensor.CopyFrom(onnx.helper.make_tensor(name, wide, values.shape, values.tobytes(), raw=True))
    for value in values_of(graph):
        if value.type.tensor_type.elem_type == half:
            value.type.tensor_type.elem_type = wide
    for node in nodes(graph):
        for attribute in node.attribute:
            if attribute.name in ("to", "dtype") and attribute.i == half:
                attribute.i = wide


def quantize(source: str, target: str, samples: list[dict[str, Any]], kind: str) -> None:
    """Write a model with Q/DQ nodes around its convolutions and matrix products, as TensorRT's parser takes them.

    Signed and symmetric, and the bias stays as it is: TensorRT refuses zero points and quantized biases.

    Args:
        samples: what ranges are measured on, arrays by input name.
        kind: "int8" (per channel, ranges by largest absolute value) or "fp8" (E4M3, ranges by standard deviation,
            which ONNX Runtime measures on samples of one shape: those of the commonest one).
    """
    from onnxruntime import quantization

    int8 = kind == "int8"
    left = iter(samples if int8 else of_one_shape(samples))

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]
        def get_next(self) -> Any:
            return next(left, None)

    number = quantization.QuantType.QInt8 if int8 else quantization.QuantType.QFLOAT8E4M3FN
    method = quantization.CalibrationMethod.MinMax if int8 else quantization.CalibrationMethod.Distribution
    quantization.quantize_static(
        source,
        target,
        Reader(),
        quant_format=quantization.QuantFormat.QDQ,
        op_types_to_quantize=["Conv", "ConvTranspose", "Gemm", "MatMul"],
        per_channel=int8,
        activation_type=number,
        weight_type=number,
        calibrate_method=method,
        use_external_data_format=Path(f"{source}.data").exists(),
        extra_options={"ActivationSymmetric": True, "WeightSymmetric": True, "QuantizeBias": False},
    )


def of_one_shape(samples: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the samples that have the commonest shapes, the first such ones if several are as common."""
    shapes = [tuple(array.shape for array in sample.values()) for sample in samples]
    commonest = max(shapes, key=shapes.count)
    return [sample for sample, shape in zip(samples, shapes, strict=True) if shape == commonest]


def has_quantization(model: Any) -> bool:
    """Whether the model was trained or exported with Q/DQ nodes: it is left as it is."""
    return any(node.op_type in ("QuantizeLinear", "DequantizeLinear") for node in nodes(model.graph))


def nodes(graph: Any) -> list[Any]:
    """Return the nodes of a graph and of the graphs in them (the bodies of loops and branches)."""
    inner = [attribute.g for node in graph.node for attribute in node.attribute if attribute.HasField("g")]
    return [*graph.node, *(node for body in inner for node in nodes(body))]


def graphs(graph: Any) -> list[Any]:
    """Return a graph and all the graphs in its nodes."""
    inner = [attribute.g for node in graph.node for attribute in node.attribute if attribute.HasField("g")]
    return [graph, *(found for body in inner for found in graphs(body))]


def tensors(graph: Any) -> list[Any]:
    """Return the weights and constants of a graph and of the graphs in it."""
    constants = [attribute.t for node in nodes(graph) for attribute in node.attribute if attribute.HasField("t")]
    return [*(tensor for each in graphs(graph) for tensor in each.initializer), *constants]


def values_of(graph: Any) -> list[Any]:
    """Return what the graph says of the types of its values."""
    return [value for each in graphs(graph) for value in (*each.input, *each.output, *each.value_info)]


def array_of(tensor: Any) -> Any:
    """Return the numbers of a tensor."""
    from onnx import numpy_helper

    return numpy_helper.to_array(tensor)
