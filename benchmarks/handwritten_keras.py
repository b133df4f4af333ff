"""What a user of Keras would write without the plugin: SavedModel, ONNX, comparison and timing, in one process.

python benchmarks/handwritten_keras.py keras
"""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime
import tensorflow as tf
import tf2onnx
from byhand import compare, report, timed
from models import build

if TYPE_CHECKING:
    import keras

Batch = tuple[np.ndarray, np.ndarray]
Bind = Callable[[Batch], Callable[[], Any]]
OPSET = 17


def main() -> None:
    """Check the model."""
    model, batches = build("keras")
    cases = [*batches, *(first_row(batch) for batch in batches if len(batch[0]) > 1)]
    largest = max(batches, key=lambda batch: len(batch[0]))
    with tempfile.TemporaryDirectory() as folder:
        for name, bind in runtimes(model, Path(folder)):
            for case in cases:
                for key, expected in live(model)(case)().items():
                    compare(name, np.asarray(expected), np.asarray(bind(case)()[key]))
            for batch in (first_row(largest), largest):
                report(name, len(batch[0]), timed(bind(batch)))


def runtimes(model: keras.Model, folder: Path) -> Iterator[tuple[str, Bind]]:
    """Yield each way to run the model, as a function from a batch to the bare call."""
    yield "keras", live(model)
    names = [tensor.name for tensor in model.inputs]
    specs = [tf.TensorSpec(tensor.shape, tensor.dtype, name=tensor.name) for tensor in model.inputs]
    function = tf.function(lambda *args: model(list(args), training=False), input_signature=specs)
    tf.saved_model.save(model, str(folder / "saved"), signatures=function)
    signature = tf.saved_model.load(str(folder / "saved")).signatures["serving_default"]

    def saved(batch: Batch) -> Callable[[], Any]:
        feed = dict(zip(names, map(tf.constant, batch), strict=True))
        return lambda: signature(**feed)

    yield "savedmodel", saved
    made, _ = tf2onnx.convert.from_function(
        function, input_signature=specs, opset=OPSET, custom_op_handlers={"Erfc": (erfc, [])}
    )
    onnx.save(made, folder / "model.onnx")
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    keys = sorted(model.output)
    inputs = [node.name for node in session.get_inputs()]

    def exported(batch: Batch) -> Callable[[], Any]:
        feed = dict(zip(inputs, batch, strict=True))
        return lambda: dict(zip(keys, session.run(None, feed), strict=True))

    yield "onnx", exported


def live(model: keras.Model) -> Bind:
    """Return what binds a batch to a call of the model."""

    def bind(batch: Batch) -> Callable[[], Any]:
        tensors = [tf.constant(array) for array in batch]
        return lambda: model(tensors, training=False)

    return bind


def erfc(context: Any, node: Any, name: str, args: Any) -> None:
    """Write 1 - Erf(x): ONNX has no Erfc."""
    source, kind, shape = node.input[0], context.get_dtype(node.output[0]), context.get_shape(node.output[0])
    outputs = node.output[:]
    context.remove_node(node.name)
    erf = context.make_node("Erf", [source], dtypes=[kind], shapes=[shape])
    one = context.make_const(tf2onnx.utils.make_name("one"), np.ones((), tf2onnx.utils.map_onnx_to_numpy_type(kind)))
    context.make_node("Sub", [one.output[0], erf.output[0]], name=name, outputs=outputs, dtypes=[kind], shapes=[shape])


def first_row(batch: Batch) -> Batch:
    """Return a batch of size 1."""
    photos, facts = batch
    return photos[:1], facts[:1]


if __name__ == "__main__":
    main()
