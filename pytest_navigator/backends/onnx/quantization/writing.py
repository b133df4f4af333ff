"""Writing ONNX files with fewer bits.

Scripts contain the source text of this, so nothing here may use anything but numpy, ml_dtypes, ONNX and ONNX Runtime.
"""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from pytest_navigator.backends.onnx.half import in_half
from pytest_navigator.backends.onnx.names import nodes
from pytest_navigator.backends.onnx.quantization.preparing import named, prepared
from pytest_navigator.backends.onnx.tensors import LARGE, save, size_of

# What computes with weights, and what passes int8 on: a transformer lost 5 dB if its sums were rounded as well.
OPERATORS = ["Conv", "ConvTranspose", "Gemm", "MatMul", "Gather", "Relu", "Clip", "LeakyRelu"]
OPERATORS += ["MaxPool", "AveragePool", "GlobalAveragePool"]

# Between convolutions, whose kernels of int8 take and give int8.
BETWEEN = ["Add", "Concat", "Resize", "Flatten", "Mul", "Sigmoid", "Pad"]


def write_static(
    source: str, target: str, samples: Any, kept: list[str], options: dict[str, Any], extra: dict[str, Any]
) -> None:
    """Quantize a model to int8 with ranges that samples have shown, by Q/DQ nodes.

    Args:
        samples: arrays by input name; each is read when it is its turn.
        kept: names of nodes that stay as they are.
        options: of `quantize_static`; members of enumerations by their names. extra: its `extra_options`.
    """
    from onnxruntime import quantization

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]
        """One sample in each range of one: what the quantizer has seen of it is reduced before the next one."""

        def __len__(self) -> int:
            return len(samples)

        def set_range(self, start_index: int, end_index: int) -> None:
            if start_index == 0:
                self.every: Any = iter(samples)
            self.left: Any = iter([next(self.every) for _ in range(start_index, end_index)])

        def get_next(self) -> Any:
            return next(self.left, None)

    with tempfile.TemporaryDirectory(dir=Path(target).parent) as folder:
        model = prepared(source, folder, split=False)
        with_convolutions = any(node.op_type.startswith("Conv") for node in nodes(model.graph))
        chosen = {"op_types_to_quantize": OPERATORS + BETWEEN * with_convolutions, **options}
        for name, kind in (
            ("activation_type", quantization.QuantType),
            ("weight_type", quantization.QuantType),
            ("calibrate_method", quantization.CalibrationMethod),
        ):
            chosen[name] = getattr(kind, chosen[name])
        work = partial(
            quantization.quantize_static,
            calibration_data_reader=Reader(),
            quant_format=quantization.QuantFormat.QDQ,
            extra_options={"CalibStridedMinMax": 1, **extra},
            nodes_to_exclude=kept,
            **chosen,
        )
        written(model, target, folder, work)


def write_dynamic(source: str, target: str, kept: list[str], options: dict[str, Any], extra: dict[str, Any]) -> None:
    """Quantize the weights of a model to int8; the ranges of what it computes are found in each inference.

    Args:
        options: of `quantize_dynamic`. extra: its `extra_options`.
    """
    from onnxruntime import quantization

    with tempfile.TemporaryDirectory(dir=Path(target).parent) as folder:
        model = prepared(source, folder, split=True)
        work = partial(
            quantization.quantize_dynamic,
            weight_type=quantization.QuantType.QInt8,
            nodes_to_exclude=kept,
            extra_options={"EnableSubgraph": True, **extra},
            **options,
        )
        written(model, target, folder, work)


def write_int4(source: str, target: str, kept: list[str], options: dict[str, Any]) -> None:
    """Store the weights of matrix products in 4 bits, in blocks of their own scales.

    Args:
        options: of `MatMulNBitsQuantizer`.
    """
    try:
        from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
    except ImportError:  # its name before ONNX Runtime 1.22
        from onnxruntime.quantization.matmul_4bits_quantizer import MatMul4BitsQuantizer as MatMulNBitsQuantizer

    with tempfile.TemporaryDirectory(dir=Path(target).parent) as folder:
        chosen = {name: tuple(value) if isinstance(value, list) else value for name, value in options.items()}
        quantizer = MatMulNBitsQuantizer(prepared(source, folder, split=True), nodes_to_exclude=kept, **chosen)
        quantizer.process()
        save(quantizer.model.model, target)


def write_half(source: str, target: str, kept: list[str], wide: bool, operators: list[str] | None = None) -> None:
    """Write a model that computes in float16 or, if `wide`, in bfloat16; its inputs and outputs keep their types.

    Args:
        kept: names of nodes that stay in float32.
        operators: those that do; None: the converter's own list.
    """
    save(in_half(named(source), operators, wide, tuple(kept)), target)


def written(model: Any, target: str, folder: str, work: Any) -> None:
    """Call a quantizer on files, with its temporary ones in a folder that goes away: it writes beside its source."""
    path, before = Path(folder, "prepared.onnx"), tempfile.tempdir
    save(model, str(path))
    tempfile.tempdir = folder
    try:
        work(str(path), target, use_external_data_format=size_of(model) > LARGE)
    finally:
        tempfile.tempdir = before
