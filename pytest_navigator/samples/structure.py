"""Structures of arguments and return values: flattened to named arrays, as plain data, and back.

A structure is a tree of nodes, each a dict with one tag, so that nothing is ambiguous and JSON holds it:

    {"leaf": name}                    an array
    {"value": constant}               None, bool, int, float or str
    {"list": [...]}, {"tuple": [...]}
    {"dict": [[key, node], ...]}      in the order of the user's mapping
    {"object": {"type": "module:QualName", "fields": [[name, node], ...]}}
    {"args": [...], "kwargs": [[name, node], ...]}      a call, only at the root
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from pytest_navigator.core.loaded import loaded
from pytest_navigator.errors import SourceError
from pytest_navigator.samples.caches import KINDS, rebuilt
from pytest_navigator.samples.flattening import Arrays, Flattener, Place, quoted, type_name

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from pytest_navigator.core.plain import Tree
    from pytest_navigator.samples.libraries import ArrayLibrary

    Leaves = Mapping[str, object]
    Builder = Callable[[Leaves], Any]


class Call:
    """One sample as the model is called with it, when the calling convention would guess wrong.

    Attributes:
        args: the positional arguments.
        kwargs: the keyword arguments.
    """

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, /, *args: object, **kwargs: object) -> None:
        self.args = args
        self.kwargs = kwargs

    def __repr__(self) -> str:
        arguments = [repr(value) for value in self.args] + [f"{key}={value!r}" for key, value in self.kwargs.items()]
        return f"Call({', '.join(arguments)})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Call):
            return NotImplemented
        return self.args == other.args and self.kwargs == other.kwargs


def call_of(sample: object, framework: str) -> Call:
    """Return the call that a sample of the loader stands for.

    Args:
        sample: one element of the loader.
        framework: name of the model's framework; for "tensorflow" every sample is one argument.

    Raises:
        SourceError: a mapping that would be the keyword arguments has keys that are not strings.
    """
    if isinstance(sample, Call):
        return sample
    if framework == "tensorflow":
        return Call(sample)
    if isinstance(sample, Mapping):
        return Call(**_keywords(sample))
    if isinstance(sample, tuple) and sample and isinstance(sample[-1], Mapping):
        return Call(*sample[:-1], **_keywords(sample[-1]))
    return Call(*sample) if isinstance(sample, tuple | list) else Call(sample)


def flatten_call(
    call: Call, parameter_names: Sequence[str], configured_names: Sequence[str] | None, framework: ArrayLibrary
) -> tuple[Tree, Arrays]:
    """Return the structure of a call and its arrays by name, in the order of insertion.

    Args:
        call: what the model is called with.
        parameter_names: names of the model's positional parameters.
        configured_names: the user's names in flattening order; None or empty: from keys, fields and parameters.
        framework: tells its arrays and converts them.

    Raises:
        SourceError: a value of a type that is not supported, or no array at all.
        ConfigError: `configured_names` are not as many as there are arrays, or not unique.
    """
    flattener = Flattener(framework, outputs=False)
    names = [*parameter_names[: len(call.args)], *[""] * (len(call.args) - len(parameter_names))]
    args = [
        flattener.node(value, Place(f"args[{i}]", root=name, head=name or f"input__{i}"))
        for i, (value, name) in enumerate(zip(call.args, names, strict=True))
    ]
    kwargs = [
        [key, flattener.node(value, Place(f"kwargs[{quoted(key)}]", path=(key,)))] for key, value in call.kwargs.items()
    ]
    if not (call.args or call.kwargs):
        raise SourceError(
            "there is no array in the sample: it is empty, and a model without inputs has nothing to check it on"
        )
    if not flattener.leaves:
        raise SourceError(f"there is no array in {_shortened(call)}: numbers, lists of them and texts are none")
    return {"args": args, "kwargs": kwargs}, flattener.named("input", configured_names)


def flatten_output(
    value: object, configured_names: Sequence[str] | None, framework: ArrayLibrary, taken: Collection[str] = ()
) -> tuple[Tree, Arrays]:
    """Return the structure of a return value and its arrays by name; numbers and strings are arrays without axes.

    Args:
        value: what the model returned.
        configured_names: as in `flatten_call`.
        framework: tells its arrays and converts them.
        taken: names of the inputs, which no output gets.

    Raises:
        SourceError: a value of a type that is not supported, or nothing in it that could be compared.
        ConfigError: `configured_names` are not as many as there are arrays, or not unique, or an input's.
    """
    flattener = Flattener(framework, outputs=True)
    tree = flattener.node(value, Place("output", head="output"))
    if not flattener.leaves:
        raise SourceError(f"there is nothing to compare in the model's output: {_shortened(value)}")
    return tree, flattener.named("output", configured_names, taken)


def unflatten(tree: Tree, leaves: Mapping[str, object]) -> Any:
    """Return the source's containers with `leaves` in them.

    An object whose class is not imported here becomes a dict of its fields.
    """
    return builder(tree)(leaves)


def unflatten_call(tree: Tree, leaves: Mapping[str, object]) -> Call:
    """Return the call with `leaves` in the source's containers."""
    args, kwargs = call_builders(tree)
    return Call(*args(leaves), **kwargs(leaves))


def builder(tree: Tree) -> Builder:
    """Return what puts leaves by name into the containers of a structure, for those who do it again and again."""
    match tree:
        case {"leaf": name}:
            return itemgetter(name)
        case {"value": constant}:
            return lambda _: constant
        case {"list": items}:
            parts = [builder(item) for item in items]
            return lambda leaves: [part(leaves) for part in parts]
        case {"tuple": items}:
            parts = [builder(item) for item in items]
            return lambda leaves: tuple([part(leaves) for part in parts])
        case {"dict": items}:
            return _mapping_builder(items)
        case {"object": {"type": kind, "fields": items}}:
            named = _mapping_builder(items)
            return lambda leaves: _instance(kind, named(leaves))
    raise ValueError(f"not a node of a structure: {_shortened(tree)}")


def call_builders(tree: Tree) -> tuple[Callable[[Leaves], tuple[Any, ...]], Callable[[Leaves], dict[str, Any]]]:
    """Return what puts leaves by name into the positional and the keyword arguments of a call."""
    return builder({"tuple": tree["args"]}), _mapping_builder(tree["kwargs"])


def _mapping_builder(items: Sequence[Sequence[Any]]) -> Callable[[Leaves], dict[Any, Any]]:
    parts = [(key, builder(item)) for key, item in items]
    return lambda leaves: {key: part(leaves) for key, part in parts}


def model_navigator_tree(tree: Tree) -> Any:
    """Return a structure in the form of Model Navigator's `pytree_metadata`.

    A string there is the name of an array, so that a constant string becomes None.
    """
    match tree:
        case {"args": args, "kwargs": kwargs}:
            return _model_navigator_call(args, {key: model_navigator_tree(item) for key, item in kwargs})
        case {"leaf": name}:
            return name
        case {"value": constant}:
            return None if isinstance(constant, str) else constant
        case {"list": items} | {"tuple": items}:
            return [model_navigator_tree(item) for item in items]
        case {"dict": items} | {"object": {"fields": items}}:
            return {key: model_navigator_tree(item) for key, item in items}
    raise ValueError(f"not a node of a structure: {_shortened(tree)}")


def _keywords(sample: Mapping[Any, object]) -> dict[str, object]:
    for key in sample:
        if not isinstance(key, str):
            raise SourceError(
                f"a mapping is the keyword arguments, but its key {key!r} is a {type_name(key)}: use strings, "
                "or Call(mapping) to give it as one argument"
            )
    return dict(sample)


def _instance(kind: str, values: dict[str, object]) -> object:
    if kind in KINDS:
        return rebuilt(kind, values)
    cls = record_class(kind)
    if cls is None:
        return values
    late = {field.name for field in fields(cls) if not field.init} if is_dataclass(cls) else set()
    try:
        instance: object = cls(**{name: value for name, value in values.items() if name not in late})
    except TypeError:
        # The class takes other arguments than its fields.
        return values
    for name in late & values.keys():
        object.__setattr__(instance, name, values[name])  # a frozen one refuses setattr
    return instance


def record_class(kind: str) -> type | None:
    """Return the dataclass or namedtuple called `kind` if it is imported here, None otherwise.

    A structure can come from somebody else's package: nothing is imported for it, and nothing but a record is made.
    """
    found = loaded(kind)
    named = isinstance(found, type) and issubclass(found, tuple) and hasattr(found, "_fields")
    return found if named or (isinstance(found, type) and is_dataclass(found)) else None


def record_modules(*trees: Tree) -> list[str]:
    """Return the names of the modules in which the classes of structures are."""
    kinds = (node["object"]["type"] for tree in trees for node in nodes(tree) if "object" in node)
    return list(dict.fromkeys(kind.partition(":")[0] for kind in kinds))


def nodes(tree: Tree) -> Iterator[Tree]:
    """Yield a structure and every node below it."""
    yield tree
    for child in children(tree).values():
        yield from nodes(child)


def _model_navigator_call(args: Sequence[Tree], kwargs: dict[str, Any]) -> Any:
    positional = [model_navigator_tree(item) for item in args]
    if not positional:
        return kwargs
    if kwargs or isinstance(positional[-1], dict):
        # A last element that is a dict would be read as the keyword arguments.
        return [*positional, kwargs]
    return positional[0] if len(positional) == 1 and isinstance(positional[0], str) else positional


def children(tree: Tree) -> dict[str, Tree]:
    """Return the nodes below a node by how their place is written after the node's own."""
    match tree:
        case {"args": args, "kwargs": kwargs}:
            positional = {f"args[{i}]": item for i, item in enumerate(args)}
            return positional | {f"kwargs[{quoted(key)}]": item for key, item in kwargs}
        case {"list": items} | {"tuple": items}:
            return {f"[{i}]": item for i, item in enumerate(items)}
        case {"dict": items}:
            return {f"[{quoted(key)}]": item for key, item in items}
        case {"object": {"fields": items}}:
            return {f".{name}": item for name, item in items}
    return {}


def _shortened(value: object, limit: int = 80) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= limit else f"{text[: limit - 3]}..."
