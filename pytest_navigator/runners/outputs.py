"""What a runtime returned, by the names of the signature."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

from pytest_navigator.samples.caches import cache_fields

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np

    from pytest_navigator.core.plain import Tree
    from pytest_navigator.core.records import Signature


class OtherStructure(Exception):
    """A value has another structure than the tree that it is read by."""


def copying(
    upload: Callable[[], object], outputs: Mapping[str, object], to_numpy: Callable[[Any], np.ndarray]
) -> Callable[[], object]:
    """Return what brings inputs to a device and the outputs of a call back, as numpy arrays."""

    def copy() -> None:
        upload()
        for leaf in outputs.values():
            to_numpy(leaf)

    return copy


def by_name(signature: Signature, value: object) -> dict[str, object]:
    """Return the leaves of a model's return value by the names of the outputs, in their order.

    A runtime may return the fields of an object as a dict or as a tuple. A value of any other structure than the
    source's gives `output__{i}`, so that a comparison says that it is another.
    """
    if "leaf" in signature.output_tree and value is not None:
        return {signature.output_tree["leaf"]: value}
    try:
        found = dict(leaves(signature.output_tree, value))
    except OtherStructure:
        return numbered(list(_all_leaves(value)))
    return {output.name: found[output.name] for output in signature.outputs}


def in_order(signature: Signature, values: Sequence[object]) -> dict[str, object]:
    """Return values in the order of the signature's outputs by name; `output__{i}` if their number is another."""
    if len(values) != len(signature.outputs):
        return numbered(values)
    return {output.name: value for output, value in zip(signature.outputs, values, strict=True)}


def has_own_names(signature: Signature) -> bool:
    """Whether a signature is that of a model file, whose inputs and outputs may have other names in the file.

    They are in one order in both.
    """
    return signature.array_type == "numpy"


def own_names(signature: Signature, names: str) -> str:
    """Return what gives arrays an artifact's own names in a script, in the same order; "" if it has no others.

    Args:
        names: the expression that tells them; a file that was converted may have others than the model's.
    """
    own = [theirs for theirs, _ in signature.input_tree.get("kwargs", ())]
    renamed = has_own_names(signature) and own != [spec.name for spec in signature.inputs]
    return f"feed = dict(zip({names}, feed.values()))" if renamed else ""


def given_names(signature: Signature, own: Sequence[str]) -> dict[str, str]:
    """Return the names that an artifact has for its inputs, each with the signature's name of that input."""
    given = [spec.name for spec in signature.inputs]
    return dict(zip(own, given if has_own_names(signature) and len(given) == len(own) else own, strict=True))


def outputs_asked(signature: Signature, own: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return which of an artifact's outputs to ask for, and what each is called; it may have one name twice."""
    names = [output.name for output in signature.outputs]
    if has_own_names(signature) or set(names) != set(own):
        return list(own), list(in_order(signature, own))
    return names, names


def numbered(values: Sequence[object]) -> dict[str, object]:
    """Return values as `output__{i}`."""
    return {f"output__{index}": value for index, value in enumerate(values)}


def leaves(tree: Tree, value: object) -> Iterator[tuple[str, object]]:
    """Walk a value along a tree of `pytest_navigator.samples.structure` and give (name, leaf).

    Raises:
        OtherStructure: the value does not have the structure of the tree.
    """
    ((kind, content),) = tree.items()
    if kind == "leaf":
        if value is None:
            raise OtherStructure(f"{content!r} is None")
        yield content, value
    elif kind != "value":
        branches = _branches(kind, content)
        children = _children(value, tuple(branches))
        if {key for key, child in children.items() if child is not None} - set(branches):
            raise OtherStructure(f"more than {sorted(map(str, branches))}")
        for key, branch in branches.items():
            if "value" not in branch and key not in children:
                raise OtherStructure(f"{key!r} is missing")
            yield from leaves(branch, children.get(key))


def _branches(kind: str, content: Any) -> dict[object, Tree]:
    if kind in ("list", "tuple"):
        return dict(enumerate(content))
    return dict(content["fields"] if kind == "object" else content)


def _children(value: object, keys: Sequence[object]) -> Mapping[object, object]:
    if isinstance(value, Mapping):
        return value
    if isinstance(value, list | tuple):
        return dict(zip(keys, value, strict=True)) if len(keys) == len(value) else dict(enumerate(value))
    if (parts := cache_fields(value)) is not None:
        return {name: part for name, _, part in parts}
    if is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    raise OtherStructure(f"{type(value).__name__} has no parts")


def _all_leaves(value: object) -> Iterator[object]:
    try:
        children = _children(value, ())
    except OtherStructure:
        yield value
        return
    for child in children.values():
        if child is not None:
            yield from _all_leaves(child)
