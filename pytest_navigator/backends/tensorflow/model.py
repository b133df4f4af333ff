"""How a TensorFlow model is called, and what it returns.

Scripts contain the source text of this, so nothing here may use anything but numpy, TensorFlow and Keras.
"""

from __future__ import annotations

import functools
import sys
from typing import Any


def callable_of(model: Any) -> Any:
    """Return what is called: a Keras model for inference, a tf.function, a module's `__call__` or only tf.function.

    Raises:
        TypeError: it is none of these; says what to return instead.
    """
    import tensorflow as tf

    if is_keras(model):
        return functools.partial(model, training=False)
    if is_function(model) or (isinstance(model, tf.Module) and callable(model)):
        return model
    if not isinstance(model, tf.Module):
        raise TypeError("a Keras model, a tf.Module or a tf.function is needed")
    functions = functions_of(model)
    if len(functions) != 1:
        what = f"several tf.functions ({', '.join(functions)})" if functions else "no tf.function"
        raise TypeError(f"it has {what} and no __call__: give it a __call__, or return the tf.function itself")
    return next(iter(functions.values()))


def is_keras(model: object) -> bool:
    """Whether this is a model or layer of Keras 3."""
    keras = sys.modules.get("keras")
    return keras is not None and isinstance(model, keras.Layer)


def is_function(value: object) -> bool:
    """Whether this is a tf.function, with or without its signature."""
    import tensorflow as tf

    kinds = tf.types.experimental
    return isinstance(value, (kinds.PolymorphicFunction, kinds.ConcreteFunction))


def functions_of(module: object) -> dict[str, Any]:
    """Return the tf.functions of a module by name, methods and attributes."""
    names = [name for kind in type(module).__mro__ for name, value in vars(kind).items() if is_function(value)]
    names += [name for name, value in vars(module).items() if is_function(value)]
    return {name: getattr(module, name) for name in names}


def to_numpy(array: Any) -> Any:
    """Copy a tensor (or an array, or a number) to numpy; texts become str."""
    import numpy as np

    own = np.array(array.numpy() if hasattr(array, "numpy") else array)
    return np.char.decode(own.astype(np.bytes_), "utf-8") if own.dtype.kind in "OS" else own
