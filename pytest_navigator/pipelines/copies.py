"""Copies of what a module is called with and returns, and what a call changes in place."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from typing import TYPE_CHECKING, Any

from pytest_navigator.backends.torch.arrays import to_numpy
from pytest_navigator.pipelines.structures import is_array
from pytest_navigator.samples import caches
from pytest_navigator.samples.flattening import CONSTANTS
from pytest_navigator.samples.structure import Call

if TYPE_CHECKING:
    import torch

LARGEST_READ, LARGEST_KEPT = 2**24, 2**16
"""Bytes of an argument, and of what a module keeps, whose content is compared where nothing counts what is written."""

State = dict[str, tuple[object, object]]
"""Place -> what is there, and what tells whether it was changed since."""


def copied(value: Any) -> Any:
    """Return a copy with arrays of its own; what is one array twice is so in the copy.

    Objects that are neither containers nor arrays, such as a generator or a configuration, are the same object.
    """
    memo: dict[int, Any] = {}
    for part in _all(value):
        if id(part) not in memo and not _container(part):
            memo[id(part)] = _array_copied(part) if is_array(part) else part
    return copy.deepcopy(value, memo)


def size(value: object) -> int:
    """Return the bytes of all arrays in a value."""
    found: dict[int, Any] = {id(part): part for part in _all(value) if is_array(part)}
    return sum(int(part.nbytes) for part in found.values())


def state_of_call(call: Call, names: list[str]) -> State:
    """Return what tells whether arguments are changed in place.

    Args:
        names: of the positional arguments.
    """
    given = [*zip(names, call.args, strict=False), *call.kwargs.items()]
    return {f"argument {name!r}": _marks(value, LARGEST_READ) for name, value in given}


def state_of_module(module: torch.nn.Module) -> State:
    """Return what tells whether a call changes what the module keeps: attributes, buffers, parameters."""
    found: State = {}
    for path, part in module.named_modules():
        own = {**vars(part), **part._parameters, **part._buffers}
        for name, value in own.items():
            if not (name.startswith("_") and name in _OF_TORCH) and name != "forward":
                found[f"attribute '{path}.{name}'" if path else f"attribute {name!r}"] = _marks(value, LARGEST_KEPT)
    return found


def changed(before: State, after: State) -> tuple[str, ...]:
    """Return the places that differ."""
    places = {**before, **after}
    return tuple(place for place in places if before.get(place, (0, None))[1] != after.get(place, (0, None))[1])


_OF_TORCH = ("_parameters", "_buffers", "_modules")


def _marks(value: object, largest: int) -> tuple[object, object]:
    """Return what is kept alive, so that no identity is used again, and its marks."""
    parts = list(_all(value))
    return parts, [_mark(part, largest) for part in parts]


def _mark(value: Any, largest: int) -> object:
    if is_array(value):
        return id(value), _version(value, largest)
    if type(value) in CONSTANTS:
        return type(value), repr(value)
    return (type(value), len(value)) if isinstance(value, Mapping | list | tuple) else id(value)


def _version(value: Any, largest: int) -> object:
    """Return what differs after an array was written to: torch counts that, but for numpy's and in inference mode."""
    inference = getattr(value, "is_inference", None)
    if inference is not None and not inference():
        return value._version
    return hash(to_numpy(value).tobytes()) if value.nbytes <= largest else None


def _array_copied(value: Any) -> Any:
    return value.detach().clone() if hasattr(value, "detach") else copy.copy(value)


def _all(value: object, above: tuple[int, ...] = ()) -> Iterator[object]:
    """Yield a value and everything in it; a container inside of itself once."""
    yield value
    if id(value) in above:
        return
    for part in _children(value):
        yield from _all(part, (*above, id(value)))


def _children(value: Any) -> list[Any]:
    if is_array(value):
        return []
    if isinstance(value, Call):
        return [*value.args, *value.kwargs.values()]
    if isinstance(value, Mapping):
        return list(value.values())
    if isinstance(value, list | tuple | set):
        return list(value)
    return list(vars(value).values()) if _container(value) and hasattr(value, "__dict__") else []


def _container(value: object) -> bool:
    whole = isinstance(value, Call | Mapping | list | tuple | set)
    return whole or (is_dataclass(value) and not isinstance(value, type)) or bool(caches.name_of(value))
