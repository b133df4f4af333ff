"""Any value as plain data: what has no form of its own there becomes a text that is the same in every run."""

from __future__ import annotations

import functools
import hashlib
import inspect
import os
import re
import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

SCALARS = (bool, int, float, str)
COLLECTIONS = (list, tuple, set, frozenset)
ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_DESCRIBED: set[tuple[str, int]] = set()  # What is being described just now, by `id`


def described(value: object) -> Any:
    """Return a value as dict, list, str, int, float, bool or None.

    Dataclasses become their fields. A function becomes its name and a digest of its source and of what it closes over,
    an array its type and a digest of its content, anything else its `repr` without addresses, an object without a
    `repr` of its own that and a digest of its attributes: `--nav-resume` compares these texts.
    """
    if value is None or type(value) in SCALARS:
        return value
    if isinstance(value, Enum):
        return described(value.value)
    if isinstance(value, Mapping):
        return {_key(key): described(item) for key, item in value.items()}
    if isinstance(value, COLLECTIONS):
        items = [described(item) for item in value]
        return sorted(items, key=repr) if isinstance(value, set | frozenset) else items
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: described(getattr(value, f.name)) for f in fields(value)}
    return _scalar(value)


def foreign(value: object) -> Iterator[str]:
    """Yield the texts of the parts of a value that no plain data stands for."""
    if isinstance(value, Mapping):
        yield from (text_of(key) for key in value if key is not None and not isinstance(key, (*SCALARS, Enum)))
        value = list(value.values())
    if isinstance(value, COLLECTIONS):
        for item in value:
            yield from foreign(item)
    elif value is not None and not isinstance(value, (*SCALARS, Enum, Integral, Real, os.PathLike)):
        yield text_of(value)


def text_of(value: object) -> str:
    """Return the text that stands for a value."""
    if isinstance(value, functools.partial):
        return f"functools.partial({text_of(value.func)}, {_content([value.args, value.keywords])})"
    if inspect.isroutine(value) or isinstance(value, type):
        name = f"{getattr(value, '__module__', None)}.{value.__qualname__}"  # str.split has none
        return " ".join(filter(None, [name, _source(value), _content(_bound(value))]))
    return _array_text(value) or " ".join(filter(None, [ADDRESS.sub("", repr(value)), _content(_hidden(value), value)]))


def code_in(value: object) -> Iterator[Any]:
    """Yield the functions and the classes of the objects in a value: their modules tell what they call."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, COLLECTIONS):
        for item in value:
            yield from code_in(item)
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from code_in(getattr(value, field.name))
    elif isinstance(value, functools.partial):
        yield from code_in([value.func, value.args, value.keywords])
    elif isinstance(value, types.FunctionType):
        yield value
        yield from (held for held in _bound(value) if isinstance(held, types.FunctionType))
    elif value is not None and not isinstance(value, (*SCALARS, Enum)):
        yield value if isinstance(value, type) else type(getattr(value, "__self__", value))


def _bound(value: Any) -> list[Any]:
    """Return what a function is bound to and closes over."""
    own = getattr(value, "__self__", None)
    cells = getattr(value, "__closure__", None) or ()
    held = [cell.cell_contents for cell in cells if cell != types.CellType()]
    return held if own is None or isinstance(own, types.ModuleType) else [*held, own]


def _hidden(value: Any) -> list[Any]:
    """Return the attributes of an object, also those in slots, whose text does not show them."""
    kind: Any = type(value)
    told = kind.__repr__ is not object.__repr__
    own = {} if told else {**_slots(value), **getattr(value, "__dict__", {})}
    return [own] if own else []


def _slots(value: Any) -> dict[str, Any]:
    bases = [base for base in type(value).__mro__ if "__slots__" in vars(base)]
    names = [name for base in bases for name, kind in vars(base).items() if inspect.ismemberdescriptor(kind)]
    return {name: getattr(value, name) for name in names if hasattr(value, name)}


def _content(held: list[Any], owner: object = None) -> str:
    """Return a digest of what a value holds; "" if that is nothing, or if it is being described: it holds itself."""
    places = {("held", id(part)) for part in held} if owner is None else {("hidden", id(owner))}
    if not held or places & _DESCRIBED:
        return ""
    _DESCRIBED.update(places)
    try:
        return _digest(repr([described(part) for part in held]).encode(errors="surrogatepass"))
    finally:
        _DESCRIBED.difference_update(places)


def _key(key: object) -> Any:
    plain = described(key)
    return plain if plain is None or isinstance(plain, SCALARS) else text_of(key)


def _scalar(value: object) -> Any:
    """Return what is a number or a text by its base class, else a text."""
    for kind in SCALARS:
        if isinstance(value, kind):
            return kind(value)
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    return os.fspath(value) if isinstance(value, os.PathLike) else text_of(value)


def _source(value: Any) -> str:
    """Return a digest of the source of a function or class, of a lambda that of its code: a line may have several."""
    if getattr(value, "__name__", "") == "<lambda>" and isinstance(value, types.FunctionType):
        return compiled_digest(value.__code__)
    try:
        return _digest(inspect.getsource(value).encode(errors="surrogatepass"))
    except (OSError, TypeError):
        return compiled_digest(value.__code__) if isinstance(value, types.FunctionType) else ""


def compiled_digest(code: types.CodeType) -> str:
    """Return a digest of code that is compiled: where no source tells it apart."""
    return _digest(_compiled(code).encode(errors="surrogatepass"))


def _compiled(code: types.CodeType) -> str:
    constants = [
        _compiled(each) if isinstance(each, types.CodeType) else repr(described(each)) for each in code.co_consts
    ]
    return repr([code.co_code.hex(), constants, code.co_names])


def _array_text(value: Any) -> str:
    """Return type, shape and a digest of the content of what numpy can read, "" of anything else."""
    if not (hasattr(value, "__array__") and hasattr(value, "shape")):
        return ""
    try:
        array = value.__array__()
        kind = f"{type(value).__module__}.{type(value).__qualname__}"
        return f"{kind} {array.dtype} {tuple(array.shape)} {_digest(array.tobytes())}"
    except Exception:  # a tensor on a GPU or one that needs a gradient; libraries raise what they like
        return ""


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]
