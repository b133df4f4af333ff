"""A SavedModel in which TensorRT runs what it can, by TF-TRT.

Scripts contain the source text of this, so nothing here may use anything but numpy and TensorFlow.
"""

from __future__ import annotations

from typing import Any


def convert_savedmodel(
    artifact: str,
    output: str,
    feeds: list[dict[str, Any]],
    calibration: list[dict[str, Any]],
    *,
    options: dict[str, Any],
) -> int:
    """Convert a signature of a SavedModel, build its engines and save it; returns how many engines it has.

    Args:
        options: of `tf.experimental.tensorrt.Converter`.
        feeds: arrays by argument; the engines take the shapes between the smallest and the largest of them.
        calibration: the same, for int8; all of one shape. Empty for other precisions.

    Raises:
        ValueError: there is no engine in the result.
    """
    import tensorflow as tf

    converter = tf.experimental.tensorrt.Converter(input_saved_model_dir=artifact, **options)
    function = converter.convert(**({"calibration_input_fn": lambda: iter(calibration)} if calibration else {}))
    graph = function.graph.as_graph_def()
    nodes = [*graph.node, *(node for inner in graph.library.function for node in inner.node_def)]
    engines: int = sum(node.op == "TRTEngineOp" for node in nodes)
    if not engines:
        raise ValueError(
            "TensorFlow runs the whole model, TensorRT no part of it: no segment of operators that it knows has "
            f"{options['minimum_segment_size']} nodes (minimum_segment_size sets how many it has to have)"
        )
    converter.build(lambda: iter(feeds))
    converter.save(output)
    return engines


def filled(batch: dict[str, Any], names: dict[str, str], profile: dict[str, dict[str, list[int]]]) -> list[Any]:
    """Return the arrays of a batch in the smallest, the usual and the largest shapes, by argument.

    Args:
        names: argument of the signature -> name of the input.
        profile: of every input; one that it does not have keeps its shape.
    """
    import numpy as np

    feeds = []
    for word in ("min", "opt", "max"):
        shapes = {name: profile[name][word] if name in profile else batch[name].shape for name in names.values()}
        feeds.append({argument: np.resize(batch[name], shapes[name]) for argument, name in names.items()})
    return feeds


def of_one_shape(batches: list[dict[str, Any]], names: dict[str, str]) -> list[Any]:
    """Return the batches that have the shapes of the first one, by argument: calibration takes one shape only."""
    found = [{argument: batch[name] for argument, name in names.items()} for batch in batches]
    return [feed for feed in found if all(feed[n].shape == array.shape for n, array in found[0].items())]
