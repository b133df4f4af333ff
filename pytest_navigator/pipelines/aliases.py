"""What a pipeline may rely on in an output, and formats lose: arrays that are one object, and numbers that are none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any

from pytest_navigator.pipelines.structures import arrays, is_array, parts
from pytest_navigator.samples import caches
from pytest_navigator.samples.flattening import CONSTANTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

OUTPUT_NUMBERS = (bool, int, float)


@dataclass(frozen=True)
class Alias:
    """A part of an output that is another array, or a number of Python's.

    Attributes:
        output: its number among the arrays and numbers of the output, from 0; formats give arrays for all of them.
        of: "output": an earlier one of them; "input": an array of the call, as `call_of` gives it; "number": none.
        number: of that one among those there.
    """

    output: int
    of: str
    number: int = 0


def aliases(given: Sequence[object], output: object) -> tuple[Alias, ...]:
    """Return what of an output is an earlier part of it, or one of the arrays given, or a number."""
    known: dict[int, tuple[str, int]] = {id(array): ("input", number) for number, array in enumerate(given)}
    found = []
    for number, part in enumerate(_parts(output)):
        if type(part) in OUTPUT_NUMBERS:
            found.append(Alias(number, "number"))
        elif id(part) in known:
            found.append(Alias(number, *known[id(part)]))
        else:
            known[id(part)] = ("output", number)
    return tuple(found)


def viewed(given: Sequence[object], output: object) -> bool:
    """Whether an array of an output is a view of one that was given: what is written to one is seen in the other."""
    own = {id(array) for array in given}
    memory = {place for array in given if (place := _memory(array))}
    return any(id(array) not in own and _memory(array) in memory for _, array in arrays(output))


def _memory(array: Any) -> int:
    """Return where the content of a tensor begins, 0 for what has none or does not tell."""
    try:
        return int(array.untyped_storage().data_ptr())
    except (AttributeError, RuntimeError, NotImplementedError):
        return 0


def restored(known: Sequence[Alias], given: Sequence[object], output: Any) -> Any:
    """Return a format's output with what was an alias, or a number, in the module's own."""
    if not known:
        return output
    found = [array for _, array in arrays(output)]
    for alias in known:
        if alias.of == "number":
            found[alias.output] = found[alias.output].item()
        else:
            found[alias.output] = given[alias.number] if alias.of == "input" else found[alias.number]
    return with_arrays_of(output, iter(found))


def _parts(output: object) -> Iterator[object]:
    """Yield what formats have an array for, in their order."""
    if is_array(output) or type(output) in CONSTANTS:
        yield from () if output is None else (output,)
    elif caches.is_cache(output):
        yield from (array for _, array in arrays(output))
    else:
        for _, part in parts(output):
            yield from _parts(part)


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
