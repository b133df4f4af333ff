"""A SavedModel as LiteRT's files, by TensorFlow's own converter.

Scripts contain the source text of this, so nothing here may use anything but numpy and TensorFlow.
"""

from __future__ import annotations

from typing import Any

from pytest_navigator.backends.litert.files import fitted


def convert_savedmodel(
    source: str,
    target: str,
    samples: Any = (),
    *,
    files: dict[str, Any],
    arguments: dict[str, str],
    signature: str,
    options: dict[str, Any],
    batched: list[str],
    axis: int | None,
) -> None:
    """Write a file for each of the shapes; with samples, dicts of arrays, in int8.

    Args:
        files: name -> input -> shape; arguments: input -> argument of the signature.
        options: attributes of `tf.lite.TFLiteConverter`.
        batched: inputs with a batch, at the axis.
    """
    from difflib import get_close_matches
    from functools import partial
    from pathlib import Path

    import tensorflow as tf

    Path(target).mkdir(exist_ok=True)
    model = tf.saved_model.load(source)
    function = model.signatures[signature]
    kinds = function.structured_input_signature[1]
    for name, shapes in files.items():
        specs = {
            argument: tf.TensorSpec(shapes[own], kinds[argument].dtype, name=argument)
            for own, argument in arguments.items()
        }
        call = tf.function(partial(called, function), autograph=False).get_concrete_function(**specs)
        converter = tf.lite.TFLiteConverter.from_concrete_functions([call], model)
        if samples:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = partial(feeds, samples, shapes, arguments, batched, axis)
        for option, value in options.items():
            if not hasattr(converter, option):
                near = get_close_matches(option, vars(converter), n=1)
                raise AttributeError(
                    f"TFLiteConverter has no attribute {option!r}{f'; did you mean {near[0]!r}?' if near else ''}"
                )
            setattr(converter, option, value)
        Path(target, f"{name}.tflite").write_bytes(converter.convert())


def called(function: Any, **feed: Any) -> Any:
    """Call a signature: a function of its own, since its shapes are others."""
    return function(**feed)


def feeds(samples: Any, shapes: dict[str, Any], arguments: dict[str, str], batched: list[str], axis: int | None) -> Any:
    """Yield the samples in the shapes of a file, by the arguments of the signature."""
    for part in fitted(samples, shapes, batched, axis):
        yield {argument: part[name] for name, argument in arguments.items()}
