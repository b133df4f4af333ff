"""JAX: arrays, and live models: functions with parameters, modules of flax, callable trees as equinox has them."""

from __future__ import annotations

import hashlib
import inspect
import sys
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, ClassVar

from pytest_navigator.backends.jax.model import arrays, filled, parameter_of, parts
from pytest_navigator.comparison.computed import itself
from pytest_navigator.comparison.precisions import lowest
from pytest_navigator.errors import SourceError
from pytest_navigator.frameworks.base import Framework, Source
from pytest_navigator.frameworks.state import numpy_array, unchanged
from pytest_navigator.frameworks.surroundings import restored
from pytest_navigator.isolation.causes import error_line
from pytest_navigator.samples import feeds
from pytest_navigator.text import text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    import jax
    import numpy as np

    from pytest_navigator.core.plain import Parameters
    from pytest_navigator.core.records import TensorSpec
    from pytest_navigator.frameworks.base import Watched
    from pytest_navigator.frameworks.state import Undo

# Attributes of flax's and equinox's modules that are False while a model is trained, None where they say nothing.
TRAINING = ("inference", "deterministic", "use_running_average")

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

    def fits(self, spec: TensorSpec) -> Callable[[Any], bool] | None:
        """Return what tells whether a value is an array on the CPU whose type is its own, not that of a number."""
        import jax

        from pytest_navigator.samples.npz import dtype_of

        own, axes, device = type(jax.numpy.zeros(())), len(spec.shape), jax_device("cpu")
        if feeds.fits(spec) is None:
            return None
        dtype = dtype_of(spec.dtype)

        def fitting(value: Any) -> bool:
            return (
                type(value) is own
                and value.dtype == dtype
                and value.ndim == axes
                and not value.weak_type
                and value.device == device
            )

        return fitting

    def seeded(self, seed: int) -> AbstractContextManager[None]:
        """Do nothing: JAX has no global random state, its users pass keys."""
        return nullcontext()

    def source(self, model: object, parameters: Parameters) -> JaxSource:
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

    def __init__(self, framework: JaxFramework, model: Any, parameters: Parameters) -> None:
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
                digest.update(
                    f"{jax.tree_util.keystr(path)} {array.dtype} {array.shape}\n".encode(errors="surrogatepass")
                )
                digest.update(array.tobytes())
        return digest.hexdigest() if self.arrays else None

    def parameter_names(self) -> Sequence[str]:
        """Names of the positional arguments that are no parameters."""
        called: Any = self.model if hasattr(self.model, "apply") else self.function()
        kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        arguments = inspect.signature(called).parameters.values() if callable(called) else ()
        return [argument.name for argument in arguments if argument.kind in kinds]

    def call(self, args: Sequence[object], kwargs: dict[str, object]) -> object:
        """Run one inference as the user wrote it: compiled only if the model itself is.

        Raises:
            SourceError: it is what jax.vmap gives, and maps what it is called with over an axis that this has not.
        """
        try:
            return self.function()(*args, **kwargs)
        except ValueError as error:
            if hint := _vmap_hint(self.model, text_of(error), kwargs):
                raise SourceError(f"{error_line(error)}; {hint}") from error
            raise

    def device(self) -> str:
        """The device of the parameters; without any, the one that JAX takes by default."""
        import jax

        found = {device for array in self.arrays.values() for device in _devices(array)}
        first = next(iter(found or jax.numpy.zeros(()).devices()))
        return "cpu" if first.platform == "cpu" else f"cuda:{first.id}"

    def precision(self) -> str:
        """The lowest precision of the parameters; "" for a model without any."""
        names = {str(array.dtype) for array in self.arrays.values()}
        return lowest(names)

    def watched(self, args: Sequence[object], kwargs: dict[str, object]) -> Watched:
        """Trace the model and follow its program."""
        from pytest_navigator.backends.jax.watch import watched

        with self.preserved():
            return watched(self.function(), args, kwargs), itself

    @contextmanager
    def preserved(self) -> Iterator[None]:
        """Put back the variables of a flax.nnx module, and whatever else a call or a tracer leaves in the model."""
        nnx = sys.modules.get("flax.nnx")
        stateful = nnx is not None and isinstance(self.model, nnx.Module)
        before = nnx.state(filled(self.model, {})) if nnx is not None and stateful else None
        with restored([self.model, self.tree], _undo, self.framework.is_array):
            try:
                yield
            finally:
                if nnx is not None and stateful:
                    nnx.update(self.model, before)


def _undo(value: object) -> Undo | None:
    """Return what puts an array back as it is now: JAX's own cannot be changed. None for what is no array."""
    import jax

    return unchanged if isinstance(value, jax.Array) else numpy_array(value)


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


def _vmap_hint(function: Any, text: str, kwargs: Mapping[str, object]) -> str:
    """Return what to write for a function of jax.vmap that maps its parameters; "" for any other error."""
    if not text.startswith("vmap ") or not _vmapped(function) or (name := parameter_of(function)) is None:
        return ""
    names = inspect.signature(function).parameters
    axes = ", ".join("None" if each == name else "0" for each in names)
    if kwargs:
        return (
            "jax.vmap maps every keyword argument over axis 0, and a dict in a sample is keyword arguments: let the "
            f"loader give tuples, ({', '.join(each for each in names if each != name)},), with in_axes=({axes})"
        )
    return f"jax.vmap maps {name!r} as well unless it is told not to: jax.vmap(function, in_axes=({axes}))"


def _vmapped(function: Any) -> bool:
    """Whether a function comes from jax.vmap, compiled or not: JAX leaves no other mark than its own docstring."""
    return str(getattr(function, "__doc__", "")).startswith("Vectorized version of ")


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
