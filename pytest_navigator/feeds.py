"""Between the model's own arguments and arrays by name: what everything that is called like the model shares."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.errors import ConfigError
from pytest_navigator.errors import unknown
from pytest_navigator.structure import Call
from pytest_navigator.structure import call_of
from pytest_navigator.structure import flatten_call
from pytest_navigator.structure import unflatten

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Mapping

    import numpy as np

    from pytest_navigator.frameworks.base import Framework
    from pytest_navigator.records import Signature
    from pytest_navigator.records import TensorSpec

    Infer = Callable[[Mapping[str, np.ndarray]], dict[str, np.ndarray]]


def called(call: Call, signature: Signature, framework: Framework, infer: Infer) -> object:
    """Run one inference on the model's own arguments; returns the source's structure, with its framework's arrays."""
    outputs = {name: framework.from_numpy(array) for name, array in infer(feed_of(call, signature, framework)).items()}
    return unflatten(signature.output_tree, outputs)


def feed_of(call: Call, signature: Signature, framework: Framework) -> dict[str, np.ndarray]:
    """Return the arrays of a call by the signature's input names."""
    names = [i.name for i in signature.inputs]
    if call.kwargs and not call.args and set(call.kwargs) == set(names):
        call = Call(**{name: call.kwargs[name] for name in names})  # in any order, as keyword arguments are
    return flatten_call(call_of(call, framework.name), (), names, framework)[1]


def check_feed(feed: Mapping[str, object], signature: Signature) -> None:
    """Raise ConfigError for a name that is missing or does not exist."""
    names = [i.name for i in signature.inputs]
    for name in feed:
        if name not in names:
            raise unknown("input", name, names)
    absent = [name for name in names if name not in feed]
    if absent:
        raise ConfigError(f"input {absent[0]!r} is missing (the model's inputs: {', '.join(names)})")


def check_arrays(feed: Mapping[str, object], signature: Signature) -> None:
    """Raise ConfigError for what is no numpy array, or one of another type or number of axes than the model's input."""
    import numpy as np

    from pytest_navigator.npz import dtype_name

    for spec in signature.inputs:
        array = feed[spec.name]
        if not isinstance(array, np.ndarray):
            raise ConfigError(f"input {spec.name!r} is a {type(array).__name__}: infer takes numpy arrays by name")
        if (found := dtype_name(array.dtype)) != spec.dtype:
            raise ConfigError(f"input {spec.name!r} is {found}, the model takes {spec.dtype}: convert it with astype")
        if array.ndim != len(spec.shape):
            raise ConfigError(_of_shape(spec, array))


def shape_problem(feed: Mapping[str, np.ndarray], signature: Signature) -> str:
    """Return which input has another size than the model's samples had in an axis of one size, "" if none has.

    Some runtimes take such an input all the same: this is for those that did not.
    """
    for spec in signature.inputs:
        array = feed[spec.name]
        if any(size not in (-1, found) for size, found in zip(spec.shape, array.shape, strict=False)):
            return _of_shape(spec, array)
    return ""


def _of_shape(spec: TensorSpec, array: np.ndarray) -> str:
    axes = "; -1 is any size" if -1 in spec.shape else ""
    return f"input {spec.name!r} has the shape {array.shape}, the model takes {spec.shape}{axes}"
