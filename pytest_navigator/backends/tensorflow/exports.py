"""How a TensorFlow model is saved.

Scripts contain the source text of this, so nothing here may use anything but TensorFlow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def write_savedmodel(
    serve: Callable[..., dict[str, Any]],
    path: str,
    *,
    inputs: dict[str, tuple[list[int | None], str]],
    outputs: dict[str, str],
    jit_compile: bool | None,
    autograph: bool,
    options: dict[str, Any],
) -> None:
    """Trace a function that takes tensors by position and returns them by name, and save it.

    Args:
        inputs: shapes and types by name. outputs: types by name: numbers become tensors of these.
        options: of `tf.saved_model.save`.
    """
    import tensorflow as tf

    def typed(*tensors: Any) -> dict[str, Any]:
        return {name: tf.convert_to_tensor(value, outputs.get(name)) for name, value in serve(*tensors).items()}

    function = tf.function(typed, jit_compile=jit_compile, autograph=autograph)
    specs = [tf.TensorSpec(shape, dtype, name) for name, (shape, dtype) in inputs.items()]
    traced = function.get_concrete_function(*specs)
    module = tf.Module()
    module.function, module.state = function, captured_state(traced)
    tf.saved_model.save(module, path, signatures={"serving_default": traced}, **options)


def captured_state(traced: Any) -> list[Any]:
    """Return the variables and tables that a traced function uses: TensorFlow saves what hangs on the saved object.

    A model would do as well, but with it the functions that it has beside this one, whose state need not hang on it.
    """
    import gc

    import tensorflow as tf

    kinds = (tf.Variable, tf.saved_model.experimental.TrackableResource)
    handles = [tensor for tensor in traced.captured_inputs if tensor.dtype == tf.resource]
    known = {id(variable.handle) for variable in traced.variables}
    # A variable that is only assigned, and a table, are in no list of the function: who refers to the handle has it.
    missing = [handle for handle in handles if id(handle) not in known]
    owners = [owner for handle in missing for part in gc.get_referrers(handle) for owner in (part, *owners_of(part))]
    return [*traced.variables, *{id(owner): owner for owner in owners if isinstance(owner, kinds)}.values()]


def owners_of(part: Any) -> list[Any]:
    """Return the objects that a dict holds the attributes of."""
    import gc

    return gc.get_referrers(part) if isinstance(part, dict) else []
