"""Which arrays of an output are one and the same object, or an argument: what a pipeline may rely on, formats lose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any

from pytest_navigator.pipelines.structures import arrays, is_array
from pytest_navigator.samples import caches

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@dataclass(frozen=True)
class Alias:
    """An array of an output that is another array.

    Attributes:
        output: its number among the arrays of the output, from 0.
        of: "output": an earlier array of the output; "input": an array of the call, as `call_of` gives it.
        number: of that one among the arrays there.
    """

    output: int
    of: str
    number: int


def aliases(given: Sequence[object], output: object) -> tuple[Alias, ...]:
    """Return what of an output is an earlier array of it, or one of those given."""
    known: dict[int, tuple[str, int]] = {id(array): ("input", number) for number, array in enumerate(given)}
    found = []
    for number, (_, array) in enumerate(arrays(output)):
        if id(array) in known:
            found.append(Alias(number, *known[id(array)]))
        else:
            known[id(array)] = ("output", number)
    return tuple(found)


def restored(known: Sequence[Alias], given: Sequence[object], output: Any) -> Any:
    """Return an output in which what was an alias in the module's own is one again."""
    if not known:
        return output
    found = [array for _, array in arrays(output)]
    for alias in known:
        found[alias.output] = given[alias.number] if alias.of == "input" else found[alias.number]
    return with_arrays_of(output, iter(found))


def with_arrays_of(value: Any, new: Iterator[Any]) -> Any:
    """Return a value like this one, in which each array is the next of `new`."""
    if is_array(value):
        return next(new)
    if caches.is_cache(value):
        return caches.with_tensors(value, lambda _: next(new))
    if is_dataclass(value) and not isinstance(value, type):
        return _with_fields(value, new)
    if isinstance(value, dict):
        return type(value)({key: with_arrays_of(part, new) for key, part in value.items()})
    if isinstance(value, list | tuple):
        parts = [with_arrays_of(part, new) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    return value


def _with_fields(value: Any, new: Iterator[Any]) -> Any:
    # transformers' ModelOutput has, as a mapping, the fields that are not None.
    own = value.items() if isinstance(value, Mapping) else _fields(value)
    return replace(value, **{name: with_arrays_of(part, new) for name, part in own})


def _fields(value: Any) -> list[tuple[str, Any]]:
    return [(field.name, getattr(value, field.name)) for field in fields(value) if field.init]
