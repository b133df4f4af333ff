"""ONNX files in another precision, for runtimes that compute in what the file says (strongly typed TensorRT).

Scripts contain the source text of this, so nothing here may use anything but numpy, ml_dtypes, ONNX and ONNX Runtime.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pytest_navigator.backends.onnx.names import nodes

# Bytes above which weights go to a file beside the network: one protobuf message holds less than 2 GiB.
LARGE = 1_500_000_000


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

    large, data = size_of(model) > LARGE, Path(f"{target}.data")
    data.unlink(missing_ok=True)
    onnx.save_model(model, target, save_as_external_data=large, location=data.name if large else None)


def in_half(model: Any, kept: list[str] | None, wide: bool) -> Any:
    """Return a model that computes in float16 or, if `wide`, in bfloat16; its inputs and outputs keep their types.

    ONNX Runtime's converter does it; for bfloat16 its float16 becomes bfloat16, with the weights as they were before.

    Args:
        kept: operators that stay in float32, between casts; None: the converter's own list of them.
    """
    from onnxruntime.transformers.float16 import convert_float_to_float16
    from onnxruntime.transformers.onnx_model import OnnxModel

    lift_constants(model)
    before = {tensor.name: array_of(tensor) for tensor in weights_of(model.graph)} if wide else {}
    # Shapes are inferred by ONNX's own code, through one protobuf message.
    made = convert_float_to_float16(
        model, keep_io_types=True, op_block_list=kept, disable_shape_infer=size_of(model) > LARGE
    )
    if wide:
        widen(made.graph, before)
    OnnxModel.graph_topological_sort(made.graph)  # the converter puts its casts at the end
    return made


def widen(graph: Any, before: dict[str, Any]) -> None:
    """Make bfloat16 of all float16 in a graph, with weights from `before` where they are there."""
    import ml_dtypes
    import onnx

    half, wide = onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16
    for tensor in [*weights_of(graph), *attributes_of(graph)]:
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


def lift_constants(model: Any) -> None:
    """Make initializers, which have a name, of Constant nodes: the converter skips those of numbers."""
    import numpy as np
    from onnx import numpy_helper

    kinds = {"value_float": ("f", "f4"), "value_floats": ("floats", "f4")}
    kinds |= {"value_int": ("i", "i8"), "value_ints": ("ints", "i8")}
    for graph in graphs(model.graph):
        for node in [node for node in graph.node if node.op_type == "Constant" and not node.domain]:
            (attribute,) = node.attribute
            if attribute.name == "value":
                tensor = attribute.t
            elif attribute.name in kinds:
                field, kind = kinds[attribute.name]
                tensor = numpy_helper.from_array(np.array(getattr(attribute, field), kind))
            else:
                continue
            graph.initializer.add().CopyFrom(tensor)
            graph.initializer[-1].name = node.output[0]
            graph.node.remove(node)


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


def graphs(graph: Any) -> list[Any]:
    """Return a graph and all the graphs in its nodes."""
    inner = [attribute.g for node in graph.node for attribute in node.attribute if attribute.HasField("g")]
    return [graph, *(found for body in inner for found in graphs(body))]


def weights_of(graph: Any) -> list[Any]:
    """Return the initializers of a graph and of the graphs in it."""
    return [tensor for each in graphs(graph) for tensor in each.initializer]


def attributes_of(graph: Any) -> list[Any]:
    """Return the tensors that are attributes of nodes, which mostly have no name."""
    return [attribute.t for node in nodes(graph) for attribute in node.attribute if attribute.HasField("t")]


def size_of(model: Any) -> int:
    """Return the size of the weights in bytes; protobuf itself counts no message above 2 GiB."""
    from math import prod

    import onnx

    kinds = onnx.helper.tensor_dtype_to_np_dtype
    return sum(prod(t.dims) * kinds(t.data_type).itemsize for t in weights_of(model.graph))


def values_of(graph: Any) -> list[Any]:
    """Return what the graph says of the types of its values."""
    return [value for each in graphs(graph) for value in (*each.input, *each.output, *each.value_info)]


def array_of(tensor: Any) -> Any:
    """Return the numbers of a tensor."""
    from onnx import numpy_helper

    return numpy_helper.to_array(tensor)
