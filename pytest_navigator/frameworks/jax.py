"""JAX: arrays, and live models: functions with parameters, modules of flax, callable trees as equinox has them."""

from __future__ import annotations

import hashlib
import inspect
import sys
from contextlib import contextmanager
from contextlib import nullcontext
from typing import TYPE_CHECKING
from typing import Any
from typing import ClassVar

from pytest_navigator.comparison.tolerances import PRECISIONS
from pytest_navigator.errors import SourceError
from pytest_navigator.frameworks.base import Framework
from pytest_navigator.frameworks.base import Source
from pytest_navigator.reproduce.jax_model import arrays
from pytest_navigator.reproduce.jax_model import filled
from pytest_navigator.reproduce.jax_model import parameter_of
from pytest_navigator.reproduce.jax_model import parts

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterator
    from collections.abc import Mapping
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    import jax
    import numpy as np

    from pytest_navigator.records import JSON

TRAINING = ("inference", "deterministic", "use_running_average")
"""Attributes of flax's and equinox's modules that are False while a model is trained, None where they say nothing."""

WHAT = (
    "(function, params) is needed, with the parameters in the function's argument `params` or its last one, a "
    "flax.linen module with its variables (module, variables), a flax.nnx module, or a callable tree as equinox has "
    "them"
)


class JaxFramework(Framework):
    """JAX, and the libraries of modules on it."""

    name: ClassVar[str] = "jax"
    package: ClassVar[str] = "jax"
    packages: ClassVar[tuple[str, ...]] = ("flax", "equinox", "haiku")
    environment: ClassVar[Mapping[str, str]] = {
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",  # SavedModels are written and run by TensorFlow
    }

    def is_array(self, value: object) -> bool:
        """Whether `value` is an array of JAX or numpy."""
        import jax
        import numpy as np

        return isinstance(value, jax.Array | np.ndarray)

    def to_numpy(self, array: object) -> np.ndarray:
        """Copy an array (or a number) to numpy; bfloat16 and float8 are ml_dtypes' on both sides.

        Raises:
            SourceError: it holds random keys.
        """
        import jax
        import numpy as np

        if isinstance(array, jax.Array) and jax.numpy.issubdtype(array.dtype, jax.dtypes.extended):
            raise SourceError(f"an array of random keys ({array.dtype}) cannot be stored: use jax.random.key_data(key)")
        return np.array(array)

    def from_numpy(self, array: np.ndarray, device: str = "cpu") -> jax.Array:
        """Copy an array to `device`; JAX makes 32-bit types of 64-bit ones unless jax_enable_x64 is set."""
        import jax
        import numpy as np

        own = np.array(array, dtype=array.dtype.newbyteorder("="), order="C")
        return jax.device_put(own, jax_device(device))

    def seeded(self, seed: int) -> AbstractContextManager[None]:
        """Do nothing: JAX has no global random state, its users pass keys."""
        return nullcontext()

    def source(self, model: object, parameters: dict[str, JSON]) -> JaxSource:
        """Wrap a model; `parameters` are the fields of JaxConfig."""
        if problem := _problem(model):
            raise SourceError(f"the model is {problem}: {WHAT}")
        return JaxSource(self, model, parameters)


class JaxSource(Source):
    """A live model: a tree that holds its parameters, and what makes a callable of it.

    Attributes:
        model: the user's function or module.
        tree: holds the parameters; `arrays` are those of its leaves that are arrays, by their place in it.
    """

    def __init__(self, framework: JaxFramework, model: Any, parameters: dict[str, JSON]) -> None:
        self.framework = framework
        self.model = model[0] if type(model) is tuple else model
        self.parameters = parameters
        self.tree, self._callable = parts(model)

    @property
    def arrays(self) -> dict[str, Any]:
        """The parameters, by their place in the tree."""
        return arrays(self.tree)

    def function(self, parameters: dict[str, Any] | None = None) -> Callable[..., object]:
        """Return the model as a callable, with its own parameters or with others in their places."""
        return self._callable(self.tree if parameters is None else filled(self.tree, parameters))

    def check(self) -> None:
        """Raise SourceError unless every module is in inference mode and the parameters have values, on one device."""
        for where, node in _training(self.tree):
            flag = next(name for name in TRAINING if getattr(node, name, None) is False)
            raise SourceError(
                f"nav_model is in training mode: {type(node).__name__}{where} has {flag}=False; call model.eval() "
                "(flax.nnx), or return equinox.nn.inference_mode(model)"
            )
        _check_values(self.tree)
        devices = {str(device): name for name, array in self.arrays.items() for device in _devices(array)}
        if len(devices) > 1:
            where = ", ".join(f"{name} on {device}" for device, name in devices.items())
            raise SourceError(f"nav_model is on more than one device ({where}): move all of it with jax.device_put")

    def fingerprint(self) -> str | None:
        """SHA-256 over the arrays, numbers and random keys in the tree; None for a model without any array."""
        import jax
        import numpy as np

        digest, leaves = hashlib.sha256(), jax.tree_util.tree_flatten_with_path(self.tree)[0]
        for path, leaf in leaves:
            value: Any = leaf
            if isinstance(leaf, jax.Array) and jax.numpy.issubdtype(leaf.dtype, jax.dtypes.extended):
                value = jax.random.key_data(leaf)
            if hasattr(value, "dtype") or isinstance(value, bool | int | float | complex):
                array = np.asarray(value)
                digest.update(f"{jax.tree_util.keystr(path)} {array.dtype} {array.shape}\n".encode())
                digest.update(array.tobytes())
        return digest.hexdigest() if self.arrays else None

    def parameter_names(self) -> Sequence[str]:
        """Names of the positional arguments that are no parameters."""
        called: Any = self.model if hasattr(self.model, "apply") else self.function()
        kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        arguments = inspect.signature(called).parameters.values() if callable(called) else ()
        return [argument.name for argument in arguments if argument.kind in kinds]

    def call(self, args: Sequence[object], kwargs: dict[str, object]) -> object:
        """Run one inference as the user wrote it: compiled only if the model itself is."""
        return self.function()(*args, **kwargs)

    def device(self) -> str:
        """The device of the parameters; without any, the one that JAX takes by default."""
        import jax

        found = {device for array in self.arrays.values() for device in _devices(array)}
        first = next(iter(found or jax.numpy.zeros(()).devices()))
        return "cpu" if first.platform == "cpu" else f"cuda:{first.id}"

    def precision(self) -> str:
        """The lowest precision of the parameters; "" for a model without any."""
        names = {str(array.dtype) for array in self.arrays.values()}
        return next((PRECISIONS[name] for name in ("bfloat16", "float16", "float32", "float64") if name in names), "")

    @contextmanager
    def preserved(self) -> Iterator[None]:
        """Put the variables of a flax.nnx module back, which a call may change; all other models are values."""
        nnx = sys.modules.get("flax.nnx")
        if nnx is None or not isinstance(self.model, nnx.Module):
            yield
            return
        before = nnx.state(filled(self.model, {}))
        try:
            yield
        finally:
            nnx.update(self.model, before)


def jax_device(name: str) -> jax.Device:
    """Return the device called "cpu", "cuda" or "cuda:1"."""
    import jax

    platform, _, index = name.partition(":")
    return next(d for d in jax.local_devices(backend=platform) if not index or d.id == int(index))


def _problem(model: Any) -> str:
    """Return what is wrong with what nav_model returned, "" if nothing is."""
    if type(model) is tuple and len(model) != 2:
        return f"a tuple of {len(model)}"
    function = model[0] if type(model) is tuple else model
    if inspect.isclass(function):
        return f"the class {function.__name__}"
    if not callable(function) and not hasattr(function, "apply"):
        return type(function).__name__ if function is model else f"a tuple that starts with {type(function).__name__}"
    if function is model and hasattr(model, "unbind") and model.scope is None:
        return f"{type(model).__name__} without its variables"
    if function is not model and not hasattr(function, "apply") and parameter_of(function) is None:
        return "a function without an argument for its parameters"
    return ""


def _training(tree: object) -> list[tuple[str, object]]:
    """Return the modules in a tree that are in training mode, with their places."""
    import jax

    def trained(node: object) -> bool:
        return any(getattr(node, name, None) is False for name in TRAINING)

    leaves, _ = jax.tree_util.tree_flatten_with_path(tree, is_leaf=trained)
    found = [(jax.tree_util.keystr(path), leaf) for path, leaf in leaves if trained(leaf)]
    return [(f" at {where}" if where else "", node) for where, node in found]


def _check_values(tree: object) -> None:
    import jax

    for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]:
        if isinstance(leaf, jax.ShapeDtypeStruct):
            raise SourceError(
                f"nav_model has no values: {jax.tree_util.keystr(path)} is only a shape; load its weights"
            )
        if isinstance(leaf, jax.Array) and leaf.is_deleted():
            raise SourceError(f"nav_model has lost {jax.tree_util.keystr(path)}: it was donated to a compiled function")


def _devices(array: Any) -> set[jax.Device]:
    """Return where an array is: nowhere yet if it is numpy's."""
    return set(array.devices()) if hasattr(array, "devices") else set()
