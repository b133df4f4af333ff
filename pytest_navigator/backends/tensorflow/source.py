"""TensorFlow 2 and Keras 3: tensors, random state and live models."""

from __future__ import annotations

import hashlib
import inspect
import re
import sys
from collections.abc import Mapping
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

from pytest_navigator.backends.tensorflow import model as tensorflow_model
from pytest_navigator.backends.tensorflow.model import callable_of, is_keras
from pytest_navigator.comparison.computed import itself
from pytest_navigator.comparison.precisions import lowest
from pytest_navigator.errors import SourceError
from pytest_navigator.frameworks.base import Framework, Source
from pytest_navigator.frameworks.state import LARGEST, numpy_array, unchanged
from pytest_navigator.frameworks.surroundings import restored
from pytest_navigator.samples import feeds
from pytest_navigator.samples.structure import Call, call_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    import numpy as np
    import tensorflow as tf

    from pytest_navigator.core.plain import Parameters
    from pytest_navigator.core.records import TensorSpec
    from pytest_navigator.frameworks.base import Watched
    from pytest_navigator.frameworks.state import Undo

# TensorFlow takes the whole memory of a GPU otherwise, and leaves none to the runtimes that it is compared with.
ENVIRONMENT = {"TF_FORCE_GPU_ALLOW_GROWTH": "true"}

# Names that Keras gives to inputs that have none; the number depends on what else this process has built.
MADE_UP = re.compile(r"(keras_tensor|input_layer)(_\d+)?")


class TensorFlowFramework(Framework):
    """TensorFlow 2, with or without Keras."""

    name: ClassVar[str] = "tensorflow"
    package: ClassVar[str] = "tensorflow"
    packages: ClassVar[tuple[str, ...]] = ("keras",)
    environment: ClassVar[Mapping[str, str]] = ENVIRONMENT

    def is_array(self, value: object) -> bool:
        """Whether `value` is a dense tensor, a variable or a numpy array."""
        import numpy as np
        import tensorflow as tf

        return isinstance(value, tf.Tensor | tf.Variable | np.ndarray)

    def to_numpy(self, array: object) -> np.ndarray:
        """Copy a tensor (or an array, or a number) to numpy; texts become str."""
        found: np.ndarray = tensorflow_model.to_numpy(array)
        return found

    def from_numpy(self, array: np.ndarray, device: str = "cpu") -> tf.Tensor:
        """Copy an array to a tensor on `device`; shape and type stay, the memory is never shared."""
        import numpy as np
        import tensorflow as tf

        with placed(device):
            return tf.constant(np.array(array, dtype=array.dtype.newbyteorder("="), order="C"))

    def fits(self, spec: TensorSpec) -> Callable[[Any], bool] | None:
        """Return what tells whether a value is a dense tensor; None for text."""
        import tensorflow as tf

        if feeds.fits(spec) is None:
            return None
        own, dtype, axes = type(tf.constant(0)), tf.as_dtype(spec.dtype), len(spec.shape)

        def fitting(value: Any) -> bool:
            return type(value) is own and value.dtype is dtype and value.ndim == axes

        return fitting

    def shared(self, array: Any) -> np.ndarray:
        """Copy a tensor."""
        found: np.ndarray = array.numpy()
        return found

    @contextmanager
    def seeded(self, seed: int) -> Iterator[None]:
        """Seed the global seed and the global generator; what they were comes back on leaving.

        Kernels that are in use count what they have drawn: those counters start anew.
        """
        import tensorflow as tf
        from tensorflow.python.eager import context
        from tensorflow.python.ops import stateful_random_ops

        # No public function tells the global seed or where its sequence stands.
        eager = context.context()
        state = {name: getattr(eager, name) for name in ("_seed", "_rng") if hasattr(eager, name)}
        generator = stateful_random_ops.global_generator
        tf.random.set_seed(seed)
        tf.random.set_global_generator(tf.random.Generator.from_seed(seed))
        try:
            yield
        finally:
            vars(eager).update({"_rng": None, **state})
            stateful_random_ops.global_generator = generator

    def source(self, model: object, parameters: Parameters) -> TensorFlowSource:
        """Wrap a Keras model, a `tf.Module` with a tf.function, or a tf.function."""
        if isinstance(model, type):
            raise SourceError(f"the model is the class {model.__name__}: an instance of it is needed")
        _check_backend(model)
        try:
            return TensorFlowSource(self, model, callable_of(model))
        except TypeError as error:
            raise SourceError(f"the model is {type(model).__name__}: {error}") from None


class TensorFlowSource(Source):
    """A live model of TensorFlow.

    Attributes:
        function: what is called, a Keras model without what only training does.
    """

    def __init__(self, framework: TensorFlowFramework, model: object, function: Any) -> None:
        self.framework = framework
        self.model = model
        self.function = function

    def check(self) -> None:
        """Raise SourceError for a Keras model without weights: it would draw them at its first call."""
        if is_keras(self.model) and not self.model.built:  # type: ignore[attr-defined]
            raise SourceError(
                "nav_model is not built, so that its weights would be drawn at its first call: begin it with "
                "keras.Input(shape), or call it once on a sample before returning it"
            )

    def fingerprint(self) -> str | None:
        """SHA-256 over the weights in their order (names, types, shapes, bytes); None for a model without any."""
        variables = _variables(self.model)
        digest = hashlib.sha256()
        for variable in variables:
            array = self.framework.to_numpy(variable)
            # Keras numbers the layers of a process: only the last part of the path is the variable's own.
            digest.update(f"{variable.name.rpartition('/')[2]} {array.dtype} {array.shape}\n".encode())
            digest.update(array.tobytes())
        return digest.hexdigest() if variables else None

    def parameter_names(self) -> Sequence[str]:
        """Names of the positional parameters of `call` or of the tf.function, without self, *args and **kwargs."""
        function = self.model.call if is_keras(self.model) else self.function  # type: ignore[attr-defined]
        kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        return [parameter.name for parameter in _parameters(function) if parameter.kind in kinds]

    def call_of(self, sample: object) -> Call:
        """Return the call of a sample: one argument for Keras, those of the signature for a function."""
        if is_keras(self.model) or isinstance(sample, Call):
            return call_of(sample, self.framework.name)
        names = [parameter.name for parameter in _parameters(self.function)]
        if isinstance(sample, Mapping):
            return Call(**sample) if set(sample) <= set(names) else Call(sample)
        return Call(*sample) if isinstance(sample, tuple | list) and len(names) > 1 else Call(sample)

    def input_names(self, call: Call) -> Sequence[str] | None:
        """Return the names of a Keras model's inputs, unless Keras made them up."""
        inputs = getattr(self.model, "inputs", None) if is_keras(self.model) else None
        if not inputs or len(call.args) != 1 or call.kwargs or isinstance(call.args[0], Mapping):
            return None
        names = [tensor.name for tensor in inputs]
        given = len(call.args[0]) if isinstance(call.args[0], tuple | list) else 1
        return names if given == len(names) and not any(map(MADE_UP.fullmatch, names)) else None

    def call(self, args: Sequence[object], kwargs: dict[str, object]) -> object:
        """Run one inference; nothing is recorded for gradients."""
        return self.function(*args, **kwargs)

    def device(self) -> str:
        """The device of the first variable; without any, the one that TensorFlow takes by itself."""
        import tensorflow as tf

        gpus = [variable for variable in _variables(self.model)[:1] if "GPU" in _device(variable)]
        if gpus or (not _variables(self.model) and tf.config.list_logical_devices("GPU")):
            return "cuda:0"
        return "cpu"

    def precision(self) -> str:
        """The lowest of the precisions of the variables and of what Keras layers compute in; "" for no variables."""
        import tensorflow as tf

        names = {tf.as_dtype(variable.dtype).name for variable in _variables(self.model)}
        layers = [self.model, *getattr(self.model, "layers", ())] if is_keras(self.model) else []
        names |= {str(layer.compute_dtype) for layer in layers if names}
        return lowest(names)

    def watched(self, args: Sequence[object], kwargs: dict[str, object]) -> Watched:
        """Trace the model and follow its graph."""
        import tensorflow as tf

        from pytest_navigator.backends.tensorflow.watch import watched

        def run(*args: object, **kwargs: object) -> object:
            return self.function(*args, **kwargs)

        with self.preserved():
            return watched(tf.function(run).get_concrete_function(*args, **kwargs)), itself

    def preserved(self) -> AbstractContextManager[None]:
        """Put back attributes, containers and small variables; what TensorFlow and Keras note themselves stays."""
        import tensorflow as tf

        return restored(_parts(self.model), _undo, tf.is_tensor, _is_part, _is_noted)


def placed(device: str) -> AbstractContextManager[Any]:
    """Return the scope in which TensorFlow puts values and operations on "cpu" or "cuda:0"."""
    import tensorflow as tf

    kind, _, index = device.partition(":")
    scope: AbstractContextManager[Any] = tf.device(f"/{'GPU' if kind == 'cuda' else 'CPU'}:{index or 0}")
    return scope


def _check_backend(model: object) -> None:
    if not is_keras(model):
        return
    import keras

    if (backend := keras.backend.backend()) != "tensorflow":
        raise SourceError(
            f"nav_model is a Keras model, and Keras runs on {backend!r} here: only Keras on TensorFlow is supported, "
            "set KERAS_BACKEND=tensorflow"
        )


def _variables(model: Any) -> list[Any]:
    """Return weights of Keras models, of modules, and of Keras layers that a module holds as attributes."""
    import tensorflow as tf

    if is_keras(model):
        return list(model.weights)
    if not isinstance(model, tf.Module):
        return []
    held = [layer for module in (model, *model.submodules) for layer in _layers(dict(vars(module)))]
    return [*model.variables, *(weight for layer in held for weight in layer.weights)]


def _layers(value: object) -> Iterator[Any]:
    """Yield the Keras layers in an attribute: a `tf.Module` does not know them for its own."""
    if is_keras(value):
        yield value
    elif isinstance(value, Mapping | list | tuple):
        for part in value.values() if isinstance(value, Mapping) else value:
            yield from _layers(part)


def _parts(model: Any) -> list[Any]:
    """Return a model, its layers and modules, and the function of a tf.function."""
    inner = model._flatten_layers() if is_keras(model) else getattr(model, "submodules", ())
    return [model, *inner, *filter(None, [getattr(model, "python_function", None)])]


def _is_part(value: object) -> bool:
    import tensorflow as tf

    return is_keras(value) or isinstance(value, tf.Module | dict | list)


def _is_noted(value: object, name: str) -> bool:
    """Whether an attribute is the library's own and not the user's."""
    return is_keras(value) and name in _own_names()


@cache
def _own_names() -> frozenset[str]:
    import keras

    return frozenset(name for made in (keras.Layer(), keras.Model(), keras.Sequential()) for name in vars(made))


def _undo(value: Any) -> Undo | None:
    """Return what puts a variable back as it is now: tensors cannot be changed. None for what is no array."""
    import tensorflow as tf

    kept = getattr(value, "value", value) if is_variable(value) else value
    if not isinstance(kept, tf.Variable):
        return unchanged if tf.is_tensor(value) else numpy_array(value)
    if kept.shape.num_elements() is None or kept.shape.num_elements() * kept.dtype.size > LARGEST:
        return unchanged
    before = kept.numpy()

    def undo() -> None:
        if kept.numpy().tobytes() != before.tobytes():
            kept.assign(before)

    return undo


def is_variable(value: object) -> bool:
    """Whether this is a variable of Keras, which holds one of TensorFlow."""
    keras = sys.modules.get("keras")
    return keras is not None and isinstance(value, keras.Variable)


def _device(variable: Any) -> str:
    """Return the device of a variable; Keras wraps TensorFlow's."""
    import tensorflow as tf

    return str((variable if isinstance(variable, tf.Variable) else variable.value).device)


def _parameters(function: Any) -> list[inspect.Parameter]:
    """Return the parameters of a function without self; those that it was written with, whatever its signature is."""
    parameters = inspect.signature(getattr(function, "python_function", function)).parameters
    return [parameter for name, parameter in parameters.items() if name != "self"]
