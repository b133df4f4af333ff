"""Between the model's own arguments and arrays by name: what everything that is called like the model shares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pytest_navigator.core.records import TEXT_TYPES
from pytest_navigator.errors import ConfigError, InputError, SourceError, unknown_text
from pytest_navigator.samples.differences import paired
from pytest_navigator.samples.structure import Call, call_of, flatten_call, unflatten

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    import numpy as np

    from pytest_navigator.core.plain import Tree
    from pytest_navigator.core.records import Signature, TensorSpec
    from pytest_navigator.samples.libraries import ArrayLibrary

    Infer = Callable[[Mapping[str, np.ndarray]], dict[str, np.ndarray]]


def called(call: Call, signature: Signature, framework: ArrayLibrary, infer: Infer) -> object:
    """Run one inference on the model's own arguments; returns the source's structure, with its framework's arrays."""
    outputs = {name: framework.from_numpy(array) for name, array in infer(feed_of(call, signature, framework)).items()}
    return unflatten(signature.output_tree, outputs)


def feed_of(call: Call, signature: Signature, framework: ArrayLibrary) -> dict[str, np.ndarray]:
    """Return the arrays of a call by the signature's input names.

    Raises:
        InputError: too many or too few arrays, or a keyword that is none of the model's.
    """
    names = [i.name for i in signature.inputs]
    call = _in_order(call, names, {key for key, _ in signature.input_tree.get("kwargs", ())})
    if not (call.args or call.kwargs):
        raise InputError(_other_count(call, (), names))
    try:
        tree, found = flatten_call(call_of(call, framework.name), (), None, framework)
    except (SourceError, ConfigError) as error:  # of a value that is no array, nor a structure of such
        raise InputError(str(error)) from None
    if len(found) != len(names):
        raise InputError(_other_count(call, found, names))
    places = _places(tree, found, signature)
    return {name: found[places[name]] for name in names}


def _other_count(call: Call, found: Collection[str], names: Sequence[str]) -> str:
    """Return how many arrays a call has, and which are missing, where each argument is one of them."""
    said = f"the call has {len(found)} array{'s' * (len(found) != 1)}, the model takes {len(names)}: {', '.join(names)}"
    if len(found) > len(names) or len(found) != len(call.args) + len(call.kwargs) or not set(call.kwargs) <= set(names):
        return said
    return f"{said}; missing: {', '.join(name for name in names[len(call.args) :] if name not in call.kwargs)}"


def _places(tree: Tree, found: Collection[str], signature: Signature) -> dict[str, str]:
    """Return what the array of each input is called in a call: that at its place, else of its name, else in order."""
    names = [i.name for i in signature.inputs]
    if same := paired(signature.input_tree, tree):
        return same
    return dict(zip(names, names if set(names) == set(found) else found, strict=True))


def _in_order(call: Call, names: Sequence[str], own: Collection[str]) -> Call:
    """Return a call whose keywords, which come in any order, are in that of the inputs."""
    for key in call.kwargs:
        if key not in {*names, *own}:
            raise InputError(unknown_text("input", key, {*names, *own}))
    if not call.kwargs or not set(call.kwargs) <= set(names):
        return call
    ordered = [name for name in names if name in call.kwargs]
    if call.args and ordered != list(names[-len(ordered) :]):
        raise InputError(f"input {ordered[0]!r} is given by its name and by its place (in order: {', '.join(names)})")
    return Call(*call.args, **{name: call.kwargs[name] for name in ordered})


def by_own_names(feed: Any, signature: Signature) -> Any:
    """Return arrays by the model's input names, where some have the names that Model Navigator gives: "input__0".

    Raises:
        InputError: an input is given by both of its names.
    """
    own = {spec.name for spec in signature.inputs}
    if not isinstance(feed, Mapping) or own >= set(feed):
        return feed
    aliases = dict(zip(map("input__{}".format, range(len(own))), _navigators_order(signature.input_tree), strict=False))
    found: dict[str, Any] = {}
    for name, value in feed.items():
        meant = str(name if name in own else aliases.get(name, name))
        if meant in found:
            raise InputError(f"input {meant!r} is given twice: {name!r} is Model Navigator's name of it")
        found[meant] = value
    return found


def _navigators_order(tree: Tree) -> list[str]:
    """Return the names of the inputs in the order in which Model Navigator counts them: keys of mappings sorted."""
    match tree:
        case {"leaf": name}:
            return [name]
        case {"args": args, "kwargs": kwargs}:
            parts = [*args, *(item for _, item in sorted(kwargs, key=_key))]
        case {"list": parts} | {"tuple": parts}:
            pass
        case {"dict": items} | {"object": {"fields": items}}:
            parts = [item for _, item in sorted(items, key=_key)]
        case _:
            return []
    return [name for part in parts for name in _navigators_order(part)]


def _key(item: Sequence[Any]) -> str:
    return str(item[0])


def check_feed(feed: Mapping[str, object], signature: Signature) -> None:
    """Raise InputError for what is no mapping, and for a name that is missing or does not exist."""
    names = [i.name for i in signature.inputs]
    if not isinstance(feed, Mapping):
        raise InputError(f"infer takes arrays by name ({', '.join(names)}), not a {type(feed).__name__}")
    for name in feed:
        if name not in names:
            raise InputError(unknown_text("input", str(name), names))
    absent = [name for name in names if name not in feed]
    if absent:
        raise InputError(f"input {absent[0]!r} is missing (the model's inputs: {', '.join(names)})")


# How a framework converts what is no array of numpy's.
CASTS = {"torch": ", or a tensor with .to(torch.{0})", "tensorflow": ", or a tensor with tf.cast(x, tf.{0})"}


def check_arrays(feed: Mapping[str, object], signature: Signature, framework: str = "") -> None:
    """Raise InputError for what is no numpy array, or one of another type or number of axes than the model's input.

    Args:
        framework: of the tensors that the model's own call takes.
    """
    import numpy as np

    from pytest_navigator.samples.npz import dtype_name

    for spec in signature.inputs:
        array = feed[spec.name]
        if not isinstance(array, np.ndarray):
            raise InputError(f"input {spec.name!r} is a {type(array).__name__}: infer takes numpy arrays by name")
        if (found := dtype_name(array.dtype)) != spec.dtype:
            cast = "" if spec.dtype in TEXT_TYPES.values() else CASTS.get(framework, "").format(spec.dtype)
            said = f"input {spec.name!r} is {found}, the model takes {spec.dtype}"
            raise InputError(f"{said}: convert it with astype{cast}")
        if array.ndim != len(spec.shape):
            raise InputError(_of_shape(spec, array.shape))


def fits(spec: TensorSpec) -> Callable[[Any], bool] | None:
    """Return what tells whether a value is an array as runtimes take it, with nothing to convert; None for text."""
    import numpy as np

    from pytest_navigator.samples.npz import dtype_of

    dtype, axes = dtype_of(spec.dtype), len(spec.shape)
    if dtype.kind in "OSUT":
        return None

    def fitting(value: Any) -> bool:
        # Of no subclass: a masked array or a matrix means something else by the same bytes.
        return type(value) is np.ndarray and value.dtype == dtype and value.ndim == axes and value.flags.c_contiguous

    return fitting


def native(feed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the arrays in the machine's byte order: runtimes take the bytes as they are."""
    import numpy as np

    arrays = {name: np.asarray(array) for name, array in feed.items()}
    return {name: array.astype(array.dtype.newbyteorder("="), copy=False) for name, array in arrays.items()}


def shape_problem(feed: Mapping[str, Any], signature: Signature) -> str:
    """Return which input has a size that the model's samples never had, "" if none has.

    Another size in an axis of one size, two sizes in an axis that the inputs share, or none at all. Some runtimes take
    such inputs all the same: this is for those that did not.
    """
    shared: dict[str, tuple[str, int]] = {}
    for spec in signature.inputs:
        shape = tuple(feed[spec.name].shape)  # of a tensor too
        if any(size not in (-1, found) for size, found in zip(spec.shape, shape, strict=False)):
            return _of_shape(spec, shape)
        if 0 in shape:
            return f"input {spec.name!r} has the shape {shape}: the runtime does not take an empty array"
        for axis, symbol in spec.axes.items():
            name, size = shared.setdefault(symbol, (spec.name, shape[axis]))
            if size != shape[axis]:
                return f"input {spec.name!r} has {shape[axis]} in axis {axis} ({symbol}), {name!r} has {size}"
    return ""


def _of_shape(spec: TensorSpec, shape: tuple[int, ...]) -> str:
    axes = "; -1 is any size" if -1 in spec.shape else ""
    return f"input {spec.name!r} has the shape {shape}, the model takes {spec.shape}{axes}"
