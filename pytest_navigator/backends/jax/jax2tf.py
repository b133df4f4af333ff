"""SavedModels of JAX models, by jax2tf."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING, Any

from pytest_navigator.backends.jax.exports import write_savedmodel
from pytest_navigator.backends.jax.flat import described, export_code, flat_function, jax_exporter
from pytest_navigator.backends.tensorflow.names import argument_names
from pytest_navigator.backends.tensorflow.running_code import LOADS
from pytest_navigator.errors import NotApplicable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np

    from pytest_navigator.core.plain import JSON, Parameters
    from pytest_navigator.core.records import Signature
    from pytest_navigator.core.script_parts import MakingCode, Subject
    from pytest_navigator.core.variants import Variant
    from pytest_navigator.frameworks.base import Source


def export_savedmodel(
    source: Source, example: Mapping[str, np.ndarray], signature: Signature, variant: Variant, path: Path
) -> dict[str, JSON]:
    """Write a live JAX model as a SavedModel, its parameters as variables, the dynamic axes of any size.

    Raises:
        NotApplicable: the variant asks for a second SavedModel by `enable_xla`, which this JAX ignores.
        StepFailed: jax2tf cannot convert the model.
    """
    asked, notes = variant.parameters.get("enable_xla"), []
    if asked is not None and ignores_enable_xla():
        import jax

        said = f"JAX {jax.__version__} ignores enable_xla={asked}: its SavedModels always hold a program of XLA"
        if asked:
            raise NotApplicable(f"{said}; tf-savedmodel without the flag is that file")
        notes = [said]  # the plain file has to be there all the same: whoever asks for it alone has no other
    found = write(source, signature, path, _options(variant.parameters), variant.parameters.get("jit_compile"))
    return {**found, "warnings": [*notes, *found["warnings"]]}  # type: ignore[misc]


def write(
    source: Source, signature: Signature, path: Path, options: Mapping[str, Any], jit_compile: bool | None
) -> dict[str, JSON]:
    """Write the SavedModel; `options` go to `jax2tf.convert`."""
    with jax_exporter("jax2tf") as lines:
        flat, parameters = flat_function(source, signature)
        writing(signature, options, jit_compile)(flat, parameters, str(path))
    return {"engine": "jax2tf", "warnings": lines}


def export_script(subject: Subject) -> MakingCode:
    """Return the export by jax2tf."""
    parameters = subject.variant.parameters
    made = writing(subject.signature, _options(parameters), parameters.get("jit_compile"))
    return export_code(subject, made).then(LOADS)


def writing(signature: Signature, options: Mapping[str, Any], jit_compile: bool | None) -> partial[None]:
    """Return what writes the SavedModel of a function and its parameters."""
    inputs, outputs = described(signature, argument_names(signature)), [spec.name for spec in signature.outputs]
    return partial(write_savedmodel, inputs=inputs, outputs=outputs, options=dict(options), jit_compile=jit_compile)


@cache
def ignores_enable_xla() -> bool:
    """Whether this JAX writes a program of XLA whatever it is asked for; the last one that did not is 0.7.1."""
    with jax_exporter("jax2tf"):
        import tensorflow as tf
        from jax.experimental import jax2tf

        converted = jax2tf.convert(lambda x: x + x, **NO_XLA)
        graph = tf.function(converted, autograph=False).get_concrete_function(tf.TensorSpec((1,), tf.float32)).graph
        return any(operation.type == "XlaCallModule" for operation in graph.get_operations())


# Options of jax2tf for a graph of TensorFlow's own operators; without gradients it would leave one that ONNX lacks.
NO_XLA: dict[str, Any] = {"enable_xla": False, "native_serialization": False, "with_gradient": True}


def _options(parameters: Parameters) -> dict[str, Any]:
    """Return the options of `jax2tf.convert`; a file that has no gradients is smaller."""
    asked = parameters.get("enable_xla")
    chosen = (
        NO_XLA
        if asked is False and not ignores_enable_xla()
        else {"with_gradient": False, **({"enable_xla": True} if asked else {})}
    )
    return {**chosen, **parameters.get("custom_args", {})}
