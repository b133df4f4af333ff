"""What a user of JAX would write without the plugin: jit, StableHLO, SavedModel, ONNX, comparison and timing.

python benchmarks/handwritten_jax.py jax
"""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import onnx
import onnxruntime
import tensorflow as tf
from byhand import compare, report, timed
from jax import export
from jax.experimental import jax2tf
from jax2onnx import to_onnx
from models import build

Batch = dict[str, np.ndarray]
Function = Callable[..., dict[str, Any]]
Bind = Callable[[Batch], Callable[[], dict[str, Any]]]
OPSET = 18


def main() -> None:
    """Check the model."""
    (module, variables), batches = build("jax")

    def function(**inputs: Any) -> dict[str, Any]:
        found: dict[str, Any] = module.apply(variables, **inputs)
        return found

    cases = [*batches, *(first_row(batch) for batch in batches if size_of(batch) > 1)]
    largest = max(batches, key=size_of)
    with tempfile.TemporaryDirectory() as folder:
        for name, bind in runtimes(function, batches, Path(folder)):
            for case in cases:
                for key, expected in function(**case).items():
                    compare(name, np.asarray(expected), np.asarray(bind(case)()[key]))
            for batch in (first_row(largest), largest):
                report(name, size_of(batch), timed(bind(batch)))


def runtimes(function: Function, batches: list[Batch], folder: Path) -> Iterator[tuple[str, Bind]]:
    """Yield each way to run the model, as a function from a batch to the bare call."""
    names, types = list(batches[0]), [array.dtype for array in batches[0].values()]
    yield "jax", caller(function)
    yield "jit", caller(jax.jit(function))

    def positional(*args: Any) -> dict[str, Any]:
        return function(**dict(zip(names, args, strict=True)))

    shape = export.symbolic_shape("batch, length")
    program = export.export(jax.jit(positional))(*(jax.ShapeDtypeStruct(shape, kind) for kind in types))
    (folder / "model.stablehlo").write_bytes(program.serialize())
    loaded = jax.jit(export.deserialize(bytearray((folder / "model.stablehlo").read_bytes())).call)
    yield "stablehlo", caller(lambda **inputs: loaded(*inputs.values()))
    yield "savedmodel", saved(positional, names, types, folder / "saved")
    arguments = [jax.ShapeDtypeStruct(shape, kind) for kind in types]
    keys = sorted(function(**batches[0]))
    made = to_onnx(positional, arguments, input_names=names, output_names=keys, opset=OPSET)
    onnx.save(made, folder / "model.onnx")
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])

    def exported(batch: Batch) -> Callable[[], dict[str, Any]]:
        return lambda: dict(zip(keys, session.run(keys, batch), strict=True))

    yield "onnx", exported


def saved(positional: Function, names: list[str], types: list[Any], path: Path) -> Bind:
    """Write and load a SavedModel; return what binds a batch to a call of it."""
    converted = jax2tf.convert(positional, polymorphic_shapes=["(batch, length)"] * len(names), with_gradient=False)
    specs = [tf.TensorSpec((None, None), kind, name=name) for name, kind in zip(names, types, strict=True)]
    holder = tf.Module()
    holder.function = tf.function(converted, autograph=False)
    tf.saved_model.save(holder, str(path), signatures=holder.function.get_concrete_function(*specs))
    signature = tf.saved_model.load(str(path)).signatures["serving_default"]

    def bind(batch: Batch) -> Callable[[], dict[str, Any]]:
        feed = {name: tf.constant(array) for name, array in batch.items()}
        return lambda: signature(**feed)

    return bind


def caller(function: Function) -> Bind:
    """Return what binds a batch to a call that waits for its result."""

    def bind(batch: Batch) -> Callable[[], dict[str, Any]]:
        feed = {name: jax.numpy.asarray(array) for name, array in batch.items()}
        return lambda: jax.block_until_ready(function(**feed))

    return bind


def size_of(batch: Batch) -> int:
    """Return the batch size."""
    return len(next(iter(batch.values())))


def first_row(batch: Batch) -> Batch:
    """Return a batch of size 1."""
    return {name: array[:1] for name, array in batch.items()}


if __name__ == "__main__":
    main()
