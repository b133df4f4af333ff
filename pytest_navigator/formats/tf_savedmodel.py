"""SavedModels of live TensorFlow models: one signature, with the names and the dynamic axes of the signature here."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any
from typing import cast

from pytest_navigator.errors import NotApplicable
from pytest_navigator.formats.exporting import exporter
from pytest_navigator.formats.ways import Way
from pytest_navigator.formats.ways import Ways
from pytest_navigator.frameworks.tensorflow import placed
from pytest_navigator.frameworks.tensorflow_model import captured_state
from pytest_navigator.reproduce import tensorflow as text
from pytest_navigator.runners.outputs import by_name
from pytest_navigator.runners.tensorflow import SIGNATURE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np

    from pytest_navigator.frameworks.base import Source
    from pytest_navigator.frameworks.tensorflow import TensorFlowSource
    from pytest_navigator.records import JSON
    from pytest_navigator.records import Signature
    from pytest_navigator.records import Variant
    from pytest_navigator.reproduce.parts import MakingCode
    from pytest_navigator.reproduce.parts import Subject


GRAPH, AUTOGRAPH = Way("tf.function"), Way("autograph")
WAYS = Ways((GRAPH, AUTOGRAPH))
"""The model as it is; and with its branches and loops on values turned into TensorFlow's, which Keras does not do."""


def export_savedmodel(
    source: Source, example: Mapping[str, np.ndarray], signature: Signature, variant: Variant, path: Path
) -> dict[str, JSON]:
    """Trace the model with the shapes of the signature and save it.

    Raises:
        NotApplicable: the variant asks for `enable_xla`.
    """
    parameters = variant.parameters
    if parameters["enable_xla"]:
        raise NotApplicable("enable_xla is a flag of jax2tf: a TensorFlow model has no such SavedModel")
    with exporter("tf.saved_model.save") as lines, placed(parameters["device"] or source.device()):
        _save(cast("TensorFlowSource", source), signature, parameters, path)
    return {"engine": parameters.get("engine") or GRAPH.engine, "warnings": lines}


def export_script(subject: Subject) -> MakingCode:
    """Return the same as source text."""
    return text.export_code(subject)


def _save(source: TensorFlowSource, signature: Signature, parameters: Mapping[str, JSON], path: Path) -> None:
    import tensorflow as tf

    autograph = parameters.get("engine") == AUTOGRAPH.engine
    function = tf.function(_flat(source, signature), jit_compile=parameters["jit_compile"], autograph=autograph)
    specs = [
        tf.TensorSpec([None if size < 0 else size for size in spec.shape], _type(spec.dtype), name)
        for spec, name in zip(signature.inputs, text.argument_names(signature), strict=True)
    ]
    traced = function.get_concrete_function(*specs)
    module = tf.Module()
    module.function, module.state = function, captured_state(traced)
    tf.saved_model.save(module, str(path), signatures={SIGNATURE: traced}, **parameters["custom_args"])


def _flat(source: TensorFlowSource, signature: Signature) -> Any:
    """Return a function that takes the inputs by position and returns the outputs by name."""
    import tensorflow as tf

    from pytest_navigator.samples.structure import unflatten_call

    names = [spec.name for spec in signature.inputs]

    def serve(*tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        call = unflatten_call(signature.input_tree, dict(zip(names, tensors, strict=True)))
        found = by_name(signature, source.function(*call.args, **call.kwargs))
        kinds = {spec.name: _type(spec.dtype) for spec in signature.outputs}
        # Numbers in the output are tensors of the type that numpy gives them in the source's own outputs.
        return {name: tf.convert_to_tensor(value, kinds.get(name)) for name, value in found.items()}

    return serve


def _type(name: str) -> Any:
    import tensorflow as tf

    return tf.string if name == "str" else tf.as_dtype(name)
