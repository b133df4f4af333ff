"""A program of `torch.export` as LiteRT's files, by litert-torch and ai-edge-quantizer.

Scripts contain the source text of this, so nothing here may use anything but numpy, PyTorch and these.
"""

from __future__ import annotations

from typing import Any

from pytest_navigator.backends.litert.files import fitted


def convert_program(
    source: str, target: str, *, files: dict[str, Any], kinds: list[str], options: dict[str, Any]
) -> None:
    """Write a file for each of the shapes.

    Args:
        files: name -> input -> shape, in the order of the inputs; kinds: their types.
        options: of `litert_torch.convert`.
    """
    from pathlib import Path

    import litert_torch
    import torch

    Path(target).mkdir(exist_ok=True)
    program = torch.export.load(source)
    for name, shapes in files.items():
        like = zip(shapes.values(), kinds)  # noqa: B905
        tensors = tuple(torch.zeros(shape, dtype=getattr(torch, kind)) for shape, kind in like)
        litert_torch.convert(program.module(), tensors, **options).export(f"{target}/{name}.tflite")


def quantize_files(
    folder: str,
    samples: Any,
    *,
    files: dict[str, Any],
    batched: list[str],
    axis: int | None,
    symmetric: bool = False,
    per_channel: bool = True,
    left_out: list[str],
) -> None:
    """Quantize each file of a folder in its place: weights and activations in int8.

    Args:
        samples: dicts of arrays; files: as they were converted for.
        batched: inputs with a batch, at the axis.
        left_out: names of the tensors that operators write which stay in floating point.
    """
    import re
    from pathlib import Path

    from ai_edge_quantizer import qtyping, quantizer

    grain = qtyping.QuantGranularity
    kind, every = qtyping.TensorQuantizationConfig, qtyping.TFLOperationName.ALL_SUPPORTED
    asked = qtyping.OpQuantizationConfig(
        activation_tensor_config=kind(num_bits=8, symmetric=symmetric, granularity=grain.TENSORWISE),
        weight_tensor_config=kind(
            num_bits=8, symmetric=True, granularity=grain.CHANNELWISE if per_channel else grain.TENSORWISE
        ),
        compute_precision=qtyping.ComputePrecision.INTEGER,
    )
    for name, shapes in files.items():
        path = Path(folder) / f"{name}.tflite"
        work = quantizer.Quantizer(str(path))
        work.update_quantization_recipe(".*", every, asked)
        for end in (qtyping.TFLOperationName.INPUT, qtyping.TFLOperationName.OUTPUT):  # callers have and want floats
            work.update_quantization_recipe(".*", end, algorithm_key="no_quantize")
        for tensor in left_out:
            work.update_quantization_recipe(f"(^|;){re.escape(tensor)};", every, algorithm_key="no_quantize")
        # One at a time: over several it takes a moving average, which is near to the range of the first one.
        found: dict[str, Any] = {}
        for part in fitted(samples, shapes, batched, axis):
            widen(found, work.calibrate({"serving_default": [named(part)]}, num_threads=1))
        path.write_bytes(work.quantize(found, enable_progress_bar=False, enable_progress_report=False).quantized_model)


def widen(ranges: dict[str, Any], more: dict[str, Any]) -> None:
    """Make the ranges of tensors hold those of one more sample."""
    import numpy as np

    for name, found in more.items():
        known = ranges.get(name, found)
        ranges[name] = {
            **found,
            "min": np.minimum(known["min"], found["min"]),
            "max": np.maximum(known["max"], found["max"]),
        }


def named(feed: dict[str, Any]) -> dict[str, Any]:
    """Return arrays by the numbers that litert-torch gives inputs, whose integers have 32 bits there."""
    narrow = {"int64": "int32", "float64": "float32"}
    arrays = (array.astype(narrow.get(str(array.dtype), array.dtype)) for array in feed.values())
    return {f"args_{index}": array for index, array in enumerate(arrays)}
