"""What models keep beside themselves, in classes, modules and caches; and putting a model back with all of it."""

from __future__ import annotations

import functools
import inspect
import sys
import types
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from pytest_navigator.frameworks.state import CLOSED, FOREIGN, HOLDERS, MAPPINGS, SAVED, State, emptied

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pytest_navigator.frameworks.state import Undo

# Functions. Types are compared, and no attribute is asked for: that of a lazy object may load it, or raise.
ROUTINES = (types.FunctionType, types.MethodType, types.BuiltinFunctionType, functools._lru_cache_wrapper)


@contextmanager
def restored(
    roots: Iterable[object],
    array: Callable[[Any], Undo | None],
    is_array: Callable[[object], bool],
    opens: Callable[[object], bool] = lambda value: False,
    keeps: Callable[[object, str], bool] = lambda value, name: False,
) -> Iterator[None]:
    """Put a model back on leaving, and what it keeps beside itself; see `State` and `Surroundings`."""
    state = State(roots, array, opens, keeps)
    beside = Surroundings(state.opened, is_array)
    try:
        yield
    finally:
        state.restore()
        beside.restore()


class Surroundings:
    """What models keep beside themselves: class attributes, variables and caches of their modules.

    It may belong to others as well, so that only arrays which were not there before are taken away, with the names and
    containers that hold them. A cache of `functools` is emptied: the next call fills it again.

    Args:
        parts: the objects and functions that a model consists of.
        is_array: whether a value is an array.
    """

    def __init__(self, parts: Iterable[object], is_array: Callable[[object], bool]) -> None:
        self._is_array = is_array
        known = [part for part in parts if inspect.isfunction(part) and _is_own(part)]
        bases = dict.fromkeys(base for part in parts for base in type(part).__mro__)
        own = [kind for kind in bases if _is_own(kind)]
        functions = [*known, *(f for kind in own for f in vars(kind).values() if inspect.isfunction(f) and _is_own(f))]
        shared = _used([function.__globals__ for function in functions])
        self._places = [*((vars(kind), kind) for kind in own), *((names, None) for names in shared)]
        self._before = [dict(names) for names, _ in self._places]
        held = [value for names in self._before for value in names.values()]
        containers = {id(value): value for value in held if type(value) in SAVED or _is_holder(value)}
        self._containers = [(value, State([value], lambda value: None)) for value in containers.values()]
        self._emptied = [emptied(cached) for cached in _caches(held)]

    def restore(self) -> None:
        """Take away what came, as far as it holds arrays."""
        for value, state in self._containers:
            if self._holds(value):
                state.restore()
        for (names, kind), before in zip(self._places, self._before, strict=True):
            for name, value in list(names.items()):
                if value is not before.get(name) and self._holds(value):
                    _put_back(names, kind, name, before)
        for undo in self._emptied:
            undo()

    def _holds(self, value: Any, seen: set[int] | None = None) -> bool:
        """Whether a value is an array, or something with one in it."""
        seen = set() if seen is None else seen
        if id(value) in seen:
            return False
        seen.add(id(value))
        if _is_holder(value):
            return self._holds(vars(value), seen)
        if type(value) in MAPPINGS:
            return any(self._holds(part, seen) for item in value.items() for part in item)
        if isinstance(value, tuple) or type(value) in SAVED:
            return any(self._holds(part, seen) for part in value)
        return self._is_array(value)


def _is_holder(value: Any) -> bool:
    """Whether a value is an object that holds something for the user: one of its classes, or a namespace."""
    kind = type(value)
    if issubclass(kind, (*CLOSED, *ROUTINES)) or not (issubclass(kind, HOLDERS) or _is_own(kind)):
        return False
    try:
        return isinstance(vars(value), dict)
    except Exception:  # without attributes, or one that stands for another, which is not there yet
        return False


def _used(known: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the variables of modules, and of the user's other modules that they name something of."""
    found = {id(names): names for names in known}
    pending = list(found.values())
    while pending:
        for value in list(pending.pop().values()):
            module = value if issubclass(type(value), types.ModuleType) else sys.modules.get(_home(value))
            names = {} if module is None else vars(module)
            if id(names) not in found and _is_the_users(names):
                found[id(names)] = names
                pending.append(names)
    return list(found.values())


def _home(value: Any) -> str:
    """Return the name of the module that a function or class is from."""
    return str(value.__module__) if issubclass(type(value), (type, *ROUTINES)) else ""


def _is_the_users(names: dict[str, Any]) -> bool:
    """Whether variables are of a module that is neither installed nor Python's own."""
    name, file = str(names.get("__name__")), names.get("__file__")
    return bool(file) and "site-packages" not in str(file) and name.partition(".")[0] not in FOREIGN


def _put_back(names: Any, kind: type | None, name: str, before: dict[str, object]) -> None:
    if kind is None:
        names.update({name: before[name]}) if name in before else names.pop(name)
        return
    with suppress(AttributeError, TypeError):  # a class that does not let itself be changed
        setattr(kind, name, before[name]) if name in before else delattr(kind, name)


def _is_own(value: Any) -> bool:
    return str(value.__module__).partition(".")[0] not in FOREIGN | {"builtins"}


def _caches(held: Iterable[Any]) -> Iterator[Any]:
    for value in held:
        inner = value.__func__ if issubclass(type(value), (staticmethod, classmethod)) else value
        if issubclass(type(inner), functools._lru_cache_wrapper):
            yield inner
