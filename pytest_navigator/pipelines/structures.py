"""The structure of a call: its nesting, constants and types, as one value that can be compared; its numbers apart."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, TypeAlias

from pytest_navigator.samples.caches import cache_fields, constants
from pytest_navigator.samples.flattening import CONSTANTS
from pytest_navigator.samples.structure import Call

Form: TypeAlias = tuple[Any, ...]
"""A structure that can be compared and hashed."""

NUMBERS = (int, float)
"""Types whose values may change from call to call: a boolean decides what runs, and is a constant."""

SPELT = ("torch.dtype", "torch.device", "torch.layout", "torch.memory_format")
"""Constants that are no containers, and whose text says all of them."""


def structure_of(call: Call) -> str:
    """Return the digest of a call's nesting, constants, and types and numbers of axes of its arrays; no sizes."""
    return hashlib.sha256(repr(form_of(call)).encode()).hexdigest()[:16]


def form_of(value: Any, *, values: bool = True) -> Form:
    """Return the structure of a call, or of a value in it.

    Args:
        values: False: a number stands for every number of its type, so that calls that differ by them are one.
    """
    kind = type(value)
    if is_array(value):
        return "array", str(value.dtype).removeprefix("torch."), len(value.shape)
    if kind in NUMBERS and not values:
        return (kind.__name__,)
    if value is None or kind in (bool, int, float, str, bytes):
        return kind.__name__, repr(value)
    whole = f"{kind.__module__}.{kind.__qualname__}"
    if isinstance(value, Enum) or whole in SPELT:
        return whole, str(value)
    return whole, tuple((name, form_of(part, values=values)) for name, part in parts(value))


def arrays(value: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Yield every array in a call or a value, with its place, in the order in which formats number them."""
    if is_array(value):
        yield ".".join(path), value
    elif value is not None and type(value) not in CONSTANTS:
        for name, part in parts(value):
            yield from arrays(part, (*path, name))


def leaves(value: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Yield every array, and every number that could be one, with its place, in the order of `arrays`."""
    if is_array(value) or type(value) in NUMBERS:
        yield ".".join(path), value
    elif _opened(value):
        for name, part in parts(value):
            yield from leaves(part, (*path, name))


def is_array(value: object) -> bool:
    """Whether a value is an array of some framework."""
    return hasattr(value, "dtype") and hasattr(value, "shape")


def numbers(value: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, int | float]]:
    """Yield every number in a call that could be an array, with its place: "timestep", "options.scale", "0.1"."""
    if type(value) in NUMBERS:
        yield ".".join(path), value  # type: ignore[misc]
    elif _opened(value):
        for name, part in parts(value):
            yield from numbers(part, (*path, name))


def tensor_of(number: float) -> object:
    """Return a number as a tensor without axes: int64, or float32 as torch makes it."""
    import numpy as np

    from pytest_navigator.backends.torch.arrays import from_numpy

    return from_numpy(np.asarray(number, np.int64 if type(number) is int else np.float32))


def with_arrays(call: Call, places: Collection[str], array: Callable[[int | float], object] = tensor_of) -> Call:
    """Return a call with an array in each of these places that holds a number there.

    Args:
        places: as `numbers` names them.
        array: makes one without axes of a number.
    """
    found: Call = _changed(call, (), places, array) if places else call
    return found


def _changed(value: Any, path: tuple[str, ...], places: Collection[str], array: Callable[[int | float], object]) -> Any:
    if type(value) in NUMBERS:
        return array(value) if ".".join(path) in places else value
    if not _opened(value):
        return value
    return _rebuilt(value, [_changed(part, (*path, name), places, array) for name, part in parts(value)])


def _rebuilt(value: Any, parts: list[Any]) -> Any:
    if isinstance(value, Call):
        return Call(*parts[: len(value.args)], **dict(zip(value.kwargs, parts[len(value.args) :], strict=True)))
    if isinstance(value, dict):
        return dict(zip(value, parts, strict=True))
    return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)


def _opened(value: object) -> bool:
    """Whether numbers in it may become arrays: what a class of others makes of its fields is not known."""
    return type(value) in (Call, dict, list) or isinstance(value, tuple)


def parts(value: Any) -> list[tuple[str, Any]]:
    """Return what is in a container, by its key, field or number; nothing of what is none."""
    if isinstance(value, Call):
        return [*_numbered(value.args), *value.kwargs.items()]
    if isinstance(value, Mapping):
        return [(str(key), part) for key, part in value.items()]
    if isinstance(value, tuple | list):
        return _numbered(value)
    if is_dataclass(value):
        return [(field.name, getattr(value, field.name)) for field in fields(value)]
    return _parts_of_cache(value)


def _parts_of_cache(value: object) -> list[tuple[str, Any]]:
    # A cache that is not supported is told of by who flattens the call, with what to do.
    from pytest_navigator.errors import SourceError

    try:
        found = cache_fields(value)
    except SourceError:
        return []
    return [*((name, part) for name, _, part in found or ()), *constants(value).items()]


def _numbered(values: list[Any] | tuple[Any, ...]) -> list[tuple[str, Any]]:
    return [(str(i), value) for i, value in enumerate(values)]
