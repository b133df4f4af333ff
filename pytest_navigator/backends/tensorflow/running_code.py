"""The calls of TensorFlow in scripts: source text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.backends.tensorflow.model import callable_of, to_numpy
from pytest_navigator.backends.tensorflow.names import names_in_file
from pytest_navigator.core.script_parts import MakingCode, RunnerCode
from pytest_navigator.isolation.numerics import statements
from pytest_navigator.reproduce.code import converted, imports_of, model_call, paths

if TYPE_CHECKING:
    from pytest_navigator.core.script_parts import Subject

SEEDING = "tf.random.set_seed({seed})"

# See that what was made loads.
LOADS = MakingCode("tf.saved_model.load(args.output)", imports=("import tensorflow as tf",))

LOAD = """loaded = tf.saved_model.load(args.artifact)
model = loaded.signatures[{signature!r}]"""


def live_code(subject: Subject, device: str) -> RunnerCode:
    """Return the call of the live model."""
    signature = subject.signature
    return RunnerCode(
        load=f"{statements('tensorflow', subject.settings)}model = callable_of(model)",
        prepare="x = {name: tf.constant(array) for name, array in feed.items()}",
        call=_synchronized(f"y = model({model_call(signature)})", device),
        outputs=converted(paths(signature.output_tree, "y"), "to_numpy"),
        context=_scope(device),
        imports=("import tensorflow as tf", *imports_of(signature.input_tree)),
        functions=(callable_of,),
        output_functions=(to_numpy,),
        seeding=SEEDING.format(seed=subject.seed),
    )


def savedmodel_code(subject: Subject, device: str, signature_name: str) -> RunnerCode:
    """Return the call of a signature of a SavedModel."""
    signature = subject.signature
    inputs, outputs = names_in_file(signature)
    return RunnerCode(
        load=f"{statements('tensorflow', subject.settings)}{LOAD.format(signature=signature_name)}",
        prepare=f"x = {converted({theirs: f'feed[{ours!r}]' for theirs, ours in inputs.items()}, 'tf.constant')}",
        call=_synchronized("y = model(**x)", device),
        outputs=converted({ours: f"y[{theirs!r}]" for theirs, ours in outputs.items()}, "to_numpy"),
        context=_scope(device),
        imports=("import tensorflow as tf",),
        output_functions=(to_numpy,),
    )


def _synchronized(call: str, device: str) -> str:
    return f"{call}\ntf.test.experimental.sync_devices()" if device == "cuda" else call


def _scope(device: str) -> str:
    return f"tf.device({'/GPU:0' if device == 'cuda' else '/CPU:0'!r})"
