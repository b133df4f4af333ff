"""What is asked of nncf: a model with int8 weights and activations, calibrated on samples.

Scripts contain the source text of this, so nothing here may use anything but OpenVINO and nncf.
"""

from __future__ import annotations

from typing import Any

from pytest_navigator.backends.openvino.model import model_of, untold

# Operations that nncf gives int8 weights or inputs, and those between them and the rounding of their input.
COMPUTING = ("Convolution", "GroupConvolution", "ConvolutionBackpropData", "GroupConvolutionBackpropData", "MatMul")
PASSING = (
    *("Broadcast", "Concat", "Gather", "MaxPool", "Pad", "Reshape", "Slice", "Split", "Squeeze", "StridedSlice"),
    *("Tile", "Transpose", "Unsqueeze", "VariadicSplit"),
)
ROUNDING = "FakeQuantize"

FARTHEST = 4  # Operations between the softmax of an attention and the product with its values


def quantize_model(
    source: str,
    target: str,
    samples: Any,
    *,
    options: dict[str, Any],
    transformer: bool | None = None,
    symmetric: bool | None = None,
    per_channel: bool | None = None,
    calibration_method: str | None = None,
    percentile: float | None = None,
    left_out: list[str] | None = None,
) -> Any:
    """Write a model with int8 in it, and return it as an `openvino.Model`.

    Args:
        source: an ONNX file, or the folder of an IR.
        samples: dicts of arrays, in the order of the model's inputs; they can be walked over several times.
        options: of `openvino.convert_model`.
        transformer: whether nncf quantizes it as it does transformers; None: if it has attention.
        symmetric: whether the ranges of activations are; per_channel: whether weights have a scale for each channel.
        calibration_method: "minmax" or "percentile", with the part of the values that a range holds, in percent.
        left_out: names of the operations that stay in floating point.
    """
    openvino, nncf = untold("openvino"), untold("nncf")
    model = folded(model_of(source, options))
    # With nncf's smoothing, transformers lose up to 22 dB more than without it (docs/formats.md).
    unsmoothed = nncf.AdvancedSmoothQuantParameters(convolution=-1, matmul=-1)
    advanced = nncf.AdvancedQuantizationParameters(smooth_quant_alphas=unsmoothed)
    if per_channel is not None:
        kind = untold("nncf.quantization.advanced_parameters").QuantizationParameters
        advanced.weights_quantization_params = kind(per_channel=per_channel)
    if calibration_method:
        advanced.activations_range_estimator_params = ranges(calibration_method, percentile)
    presets = {True: nncf.QuantizationPreset.PERFORMANCE, False: nncf.QuantizationPreset.MIXED}
    attention = attends(model) if transformer is None else transformer
    quantized = nncf.quantize(
        model,
        nncf.Dataset(samples, lambda sample: list(sample.values())),
        preset=None if symmetric is None else presets[symmetric],
        subset_size=len(samples),
        model_type=nncf.ModelType.TRANSFORMER if attention else None,
        ignored_scope=nncf.IgnoredScope(names=left_out, validate=False) if left_out else None,
        advanced_parameters=advanced,
    )
    openvino.save_model(quantized, f"{target}/model.xml", compress_to_fp16=False)
    return quantized


def folded(model: Any) -> Any:
    """Return a model without what is computed of constants alone: nncf fails on the embedding of a constant."""
    passes = untold("openvino.passes")
    manager = passes.Manager()
    manager.register_pass(passes.ConstantFolding())
    manager.run_passes(model)
    return model


def ranges(calibration_method: str, percentile: float | None) -> Any:
    """Return how nncf finds the ranges of activations."""
    found = untold("nncf.quantization.range_estimator")
    if calibration_method == "minmax":
        return found.RangeEstimatorParametersSet.MINMAX
    # A part of the values is outside at either end.
    outside = (1 - (99.999 if percentile is None else percentile) / 100) / 2
    end = found.StatisticsCollectorParameters(
        statistics_type=found.StatisticsType.QUANTILE,
        aggregator_type=found.AggregatorType.MEAN,
        quantile_outlier_prob=outside,
    )
    return found.RangeEstimatorParameters(min=end, max=end)


def attends(model: Any) -> bool:
    """Whether a model has attention: a softmax that goes into a product of matrices."""
    kinds = {operation.get_type_name() for operation in model.get_ops()}
    if "ScaledDotProductAttention" in kinds:
        return True
    pending = [(operation, FARTHEST) for operation in model.get_ops() if operation.get_type_name() == "Softmax"]
    while pending:
        operation, left = pending.pop()
        for output in operation.outputs():
            for reader in output.get_target_inputs():
                if reader.get_node().get_type_name() == "MatMul":
                    return True
                if left:
                    pending.append((reader.get_node(), left - 1))
    return False


def quantizable(model: Any) -> dict[str, bool]:
    """Return the operations that can compute in int8, by name, and whether each one's input is rounded to it."""
    operations = (each for each in model.get_ordered_ops() if each.get_type_name() in COMPUTING)
    return {each.get_friendly_name(): rounded(each) for each in operations}


def rounded(operation: Any) -> bool:
    """Whether the first input of an operation is rounded, whatever moves it about in between."""
    before = operation.input_value(0).get_node()
    while before.get_type_name() in PASSING and before.get_input_size():
        before = before.input_value(0).get_node()
    return bool(before.get_type_name() == ROUNDING)
