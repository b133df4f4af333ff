"""SavedModels of live TensorFlow models: one signature, with the names and the dynamic axes of the signature here."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, cast

from pytest_navigator.backends.tensorflow.exports import write_savedmodel
from pytest_navigator.backends.tensorflow.model import callable_of
from pytest_navigator.backends.tensorflow.names import argument_names
from pytest_navigator.backends.tensorflow.running_code import LOADS, SEEDING
from pytest_navigator.backends.tensorflow.source import placed
from pytest_navigator.core.script_parts import MakingCode
from pytest_navigator.errors import NotApplicable
from pytest_navigator.formats.exporting import exporter
from pytest_navigator.formats.ways import Way, Ways
from pytest_navigator.reproduce.code import call_of, imports_of, model_call, paths
from pytest_navigator.runners.outputs import by_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import numpy as np
    import tensorflow as tf

    from pytest_navigator.backends.tensorflow.source import TensorFlowSource
    from pytest_navigator.core.plain import JSON, Parameters
    from pytest_navigator.core.records import Signature
    from pytest_navigator.core.script_parts import Subject
    from pytest_navigator.core.variants import Variant
    from pytest_navigator.frameworks.base import Source


SERVE = '''call = callable_of(model)


def serve(*tensors):
    """Return the outputs by name."""
    x = dict(zip(INPUTS, tensors))
    y = call({arguments})
    return {{
{outputs}    }}


{call}'''

GRAPH, AUTOGRAPH = Way("tf.function"), Way("autograph")
# The model as it is; and with its branches and loops on values turned into TensorFlow's, which Keras does not do.
WAYS = Ways((GRAPH, AUTOGRAPH))


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
        _writing(signature, parameters)(serving(cast("TensorFlowSource", source), signature), str(path))
    return {"engine": parameters.get("engine") or GRAPH.engine, "warnings": lines}


def export_script(subject: Subject) -> MakingCode:
    """Return the same as source text, by the way that was taken."""
    signature, parameters = subject.signature, subject.variant.parameters
    engine = subject.data.get("engine") or parameters.get("engine")
    writing, found = _writing(signature, {**parameters, "engine": engine}), paths(signature.output_tree, "y")
    body = SERVE.format(
        arguments=model_call(signature),
        outputs="".join(f"        {spec.name!r}: {found[spec.name]},\n" for spec in signature.outputs),
        call=call_of(writing, "serve", "args.output"),
    )
    code = MakingCode(
        body,
        imports=tuple(imports_of(signature.input_tree)),
        functions=(callable_of, writing.func),
        seeding=SEEDING.format(seed=subject.seed),
    )
    return code.then(LOADS)


def _writing(signature: Signature, parameters: Parameters) -> partial[None]:
    shapes = [[None if size < 0 else size for size in spec.shape] for spec in signature.inputs]
    types = [_type(spec.dtype) for spec in signature.inputs]
    return partial(
        write_savedmodel,
        inputs=dict(zip(argument_names(signature), zip(shapes, types, strict=True), strict=True)),
        outputs={spec.name: _type(spec.dtype) for spec in signature.outputs},
        jit_compile=parameters["jit_compile"],
        autograph=parameters.get("engine") == AUTOGRAPH.engine,
        options=parameters["custom_args"],
    )


def serving(source: TensorFlowSource, signature: Signature) -> Callable[..., dict[str, Any]]:
    """Return a function that takes the inputs by position and returns the outputs by name."""
    from pytest_navigator.samples.structure import unflatten_call

    names = [spec.name for spec in signature.inputs]

    def serve(*tensors: tf.Tensor) -> dict[str, object]:
        call = unflatten_call(signature.input_tree, dict(zip(names, tensors, strict=True)))
        return by_name(signature, source.function(*call.args, **call.kwargs))

    return serve


def specs(signature: Signature) -> list[tf.TensorSpec]:
    """Return what a model is traced with."""
    import tensorflow as tf

    shapes = [[None if size < 0 else size for size in spec.shape] for spec in signature.inputs]
    types = [_type(spec.dtype) for spec in signature.inputs]
    return [tf.TensorSpec(*each) for each in zip(shapes, types, argument_names(signature), strict=True)]


def _type(name: str) -> str:
    return "string" if name == "str" else name
