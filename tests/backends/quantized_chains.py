"""Small ONNX files in which it is known what quantizing spoils, and what quantizes them."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from pytest_navigator.backends.onnx.node_places import place
from pytest_navigator.core.records import Signature, TensorSpec
from pytest_navigator.formats.exclusions import excluded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    Arrays = dict[str, np.ndarray]

WIDTH = 16
AXES = {0: "batch"}
SIGNATURE = Signature(
    (TensorSpec("x", (-1, WIDTH), "float32", AXES, batched=True),),
    (TensorSpec("y", (-1, 4), "float32", AXES, batched=True),),
    {},
    {},
    0,
    "numpy",
)


@dataclass
class Layers:
    """A chain of layers, named as torch's exporter by TorchScript names them."""

    nodes: list[onnx.NodeProto]
    weights: list[onnx.TensorProto]
    random: np.random.Generator
    last: str = "x"

    def add(self, operator: str, module: str, *more: str, output: str = "", **attributes: object) -> None:
        output = output or f"{module}_{operator}"
        name = f"/{module}/{operator}"
        self.nodes.append(helper.make_node(operator, [self.last, *more], [output], name=name, **attributes))
        self.last = output

    def weight(self, name: str, array: np.ndarray) -> str:
        self.weights.append(numpy_helper.from_array(array.astype(np.float32), name))
        return name

    def linear(self, module: str, rows: int, columns: int, own: np.ndarray | float = 0.0, output: str = "") -> None:
        matrix = self.random.standard_normal((rows, columns)) / rows**0.5
        weight, bias = self.weight(f"{module}.weight", matrix), self.weight(f"{module}.bias", np.zeros(columns) + own)
        if np.any(own):  # Sums alone are not quantized
            self.add("Gemm", module, weight, bias, output=output)
        else:
            self.add("MatMul", module, weight)
            self.add("Add", module, bias, output=output)


def chain(path: Path, *, outlier: float = 0.0, masked: float = 0.0, wide: float = 0.0) -> Path:
    """Write up, Elu, mid, Elu, attn (a softmax), down.

    Args:
        outlier: in a channel of mid that the second Elu flattens.
        masked: what is taken off half of the values before the softmax.
        wide: a factor after up, which is taken off again.
    """
    made = Layers([], [], np.random.default_rng(0))
    made.linear("up", WIDTH, 32)
    made.add("Elu", "first")
    if wide:
        made.add("Mul", "wide", made.weight("factor", np.array(wide)))
        made.add("Mul", "narrow", made.weight("back", np.array(1 / wide)))
    made.linear("mid", 32, 32, np.where(np.arange(32) == 5, -outlier, 0.0))
    made.add("Elu", "second")
    made.add("Add", "attn", made.weight("mask", np.where(np.arange(32) % 2, -masked, 0.0)))
    made.add("Softmax", "attn", axis=-1)
    made.linear("down", 32, 4, output="y")
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, ["batch", w]) for n, w in (("x", WIDTH), ("y", 4)))
    graph = helper.make_graph(made.nodes, "chain", [x], [y], made.weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save_model(model, path)
    return path


def batches(count: int = 4) -> list[Arrays]:
    random = np.random.default_rng(1)
    return [{"x": random.standard_normal((8, WIDTH), dtype=np.float32)} for _ in range(count)]


def quantized(kind: str, floating: Path, path: Path) -> Callable[[Sequence[str]], None]:
    """Return what quantizes a file without some layers, by ONNX Runtime alone."""

    def write(exclude: Sequence[str]) -> None:
        model = onnx.load(floating)
        names = excluded(exclude, [(node.name, place(node)[0]) for node in model.graph.node])
        logging.disable()
        try:
            KINDS[kind](model, path, names)
        finally:
            logging.disable(logging.NOTSET)

    return write


def _static(model: onnx.ModelProto, path: Path, exclude: list[str]) -> None:
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static

    class Reader(CalibrationDataReader):
        def __init__(self, feeds: Iterable[Arrays]) -> None:
            self.feeds: Iterator[Arrays] = iter(feeds)

        def get_next(self) -> Arrays | None:  # type: ignore[override]
            return next(self.feeds, None)

    types = {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QInt8}
    quantize_static(model, path, Reader(batches()), nodes_to_exclude=exclude, per_channel=True, **types)


def _dynamic(model: onnx.ModelProto, path: Path, exclude: list[str]) -> None:
    from onnxruntime.quantization import quantize_dynamic

    quantize_dynamic(model, path, nodes_to_exclude=exclude)


def _four_bits(model: onnx.ModelProto, path: Path, exclude: list[str]) -> None:
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

    made = MatMulNBitsQuantizer(model, block_size=16, nodes_to_exclude=exclude)
    made.process()
    made.model.save_model_to_file(str(path))


def _half(model: onnx.ModelProto, path: Path, exclude: list[str]) -> None:
    from onnxruntime.transformers.float16 import convert_float_to_float16

    onnx.save_model(convert_float_to_float16(model, keep_io_types=True, node_block_list=exclude), path)


KINDS = {"int8": _static, "int8-dynamic": _dynamic, "int4": _four_bits, "fp16": _half}
