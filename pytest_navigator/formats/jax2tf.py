"""SavedModels of JAX models, by jax2tf."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING
from typing import Any
from typing import cast

from pytest_navigator.errors import NotApplicable
from pytest_navigator.formats.jax_flat import axis_names
from pytest_navigator.formats.jax_flat import flat_function
from pytest_navigator.formats.jax_flat import jax_exporter
from pytest_navigator.formats.jax_flat import narrowed
from pytest_navigator.reproduce import jax as text
from pytest_navigator.reproduce.tensorflow import argument_names

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np

    from pytest_navigator.frameworks.base import Source
    from pytest_navigator.frameworks.jax import JaxSource
    from pytest_navigator.records import JSON
    from pytest_navigator.records import Signature
    from pytest_navigator.records import Variant
    from pytest_navigator.reproduce.parts import MakingCode
    from pytest_navigator.reproduce.parts import Subject

SIGNATURE = "serving_default"


def export_savedmodel(
    source: Source, example: Mapping[str, np.ndarray], signature: Signature, variant: Variant, path: Path
) -> dict[str, JSON]:
    """Write a live JAX model as a SavedModel, its parameters as variables, the dynamic axes of any size.

    Raises:
        NotApplicable: the variant asks for `enable_xla`, which this JAX ignores.
        StepFailed: jax2tf cannot convert the model.
    """
    asked = variant.parameters.get("enable_xla")
    if asked is not None and ignores_enable_xla():
        import jax

        raise NotApplicable(
            f"JAX {jax.__version__} ignores enable_xla={asked}: its SavedModels always hold a program of XLA; "
            "tf-savedmodel without the flag is that file"
        )
    return write(source, signature, path, _options(variant.parameters), variant.parameters.get("jit_compile"))


def write(
    source: Source, signature: Signature, path: Path, options: Mapping[str, Any], jit_compile: bool | None
) -> dict[str, JSON]:
    """Write the SavedModel; `options` go to `jax2tf.convert`."""
    with jax_exporter("jax2tf") as lines:
        import tensorflow as tf

        module = _module(source, signature, options, jit_compile)
        specs = [
            tf.TensorSpec([None if axis in spec.axes else n for axis, n in enumerate(spec.shape)], spec.dtype, name)
            for spec, name in zip(signature.inputs, argument_names(signature), strict=True)
        ]
        concrete = module.run.get_concrete_function(*specs)
        tf.saved_model.save(module, str(path), signatures={SIGNATURE: concrete})
    return {"engine": "jax2tf", "warnings": lines}


def export_script(subject: Subject) -> MakingCode:
    """Return the export by jax2tf."""
    parameters = subject.variant.parameters
    shapes = [None, *polymorphic_shapes(subject.signature)]
    return text.savedmodel(subject, shapes, _options(parameters), parameters.get("jit_compile"))


def polymorphic_shapes(signature: Signature) -> list[str]:
    """Return the shape of each input as jax2tf reads it: "(batch, 3)"."""
    names = axis_names(signature)
    return [
        f"({', '.join(names[spec.axes[axis]] if axis in spec.axes else str(n) for axis, n in enumerate(spec.shape))})"
        for spec in signature.inputs
    ]


@cache
def ignores_enable_xla() -> bool:
    """Whether this JAX writes a program of XLA whatever it is asked for; the last one that did not is 0.7.1."""
    with jax_exporter("jax2tf"):
        import tensorflow as tf
        from jax.experimental import jax2tf

        converted = jax2tf.convert(lambda x: x + x, **NO_XLA)
        graph = tf.function(converted, autograph=False).get_concrete_function(tf.TensorSpec((1,), tf.float32)).graph
        return any(operation.type == "XlaCallModule" for operation in graph.get_operations())


NO_XLA: dict[str, Any] = {"enable_xla": False, "native_serialization": False, "with_gradient": True}
"""Options of jax2tf for a graph of TensorFlow's own operators; without gradients it would leave one that ONNX lacks."""


def _options(parameters: Mapping[str, JSON]) -> dict[str, Any]:
    """Return the options of `jax2tf.convert`; a file that has no gradients is smaller."""
    asked = parameters.get("enable_xla")
    chosen = NO_XLA if asked is False else {"with_gradient": False, **({"enable_xla": True} if asked else {})}
    return {**chosen, **parameters.get("custom_args", {})}


def _module(source: Source, signature: Signature, options: Mapping[str, Any], jit_compile: bool | None) -> Any:
    """Return a `tf.Module` that holds the parameters, with the model as its function `run`."""
    import numpy as np
    import tensorflow as tf
    from jax.experimental import jax2tf

    parameters = cast("JaxSource", source).arrays
    shapes = [None, *polymorphic_shapes(signature)]
    converted = jax2tf.convert(flat_function(source, signature), polymorphic_shapes=shapes, **options)
    module = tf.Module()
    module.parameters = [tf.Variable(np.asarray(value), trainable=False) for value in parameters.values()]
    kinds = [narrowed(spec.dtype) for spec in signature.inputs]
    names = [spec.name for spec in signature.outputs]

    def run(*inputs: Any) -> dict[str, Any]:
        held = dict(zip(parameters, module.parameters, strict=True))
        found = converted(held, *(tf.cast(x, kind) for x, kind in zip(inputs, kinds, strict=True)))
        return dict(zip(names, found, strict=True))

    module.run = tf.function(run, autograph=False, jit_compile=jit_compile)
    return module
