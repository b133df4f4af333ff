"""Whatever objects keep between two calls: attributes, what containers in them hold, values that a call overwrites.

A model may keep the grid of the last image size, a cache of masks, a counter. What an exporter leaves there (a traced,
symbolic or fake array) must meet nobody: neither the next step nor the user's own tests.
"""

from __future__ import annotations

import argparse
import functools
import random
import sys
import threading
import types
import weakref
from collections import ChainMap, Counter, OrderedDict, UserDict, UserList, defaultdict, deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Undo = Callable[[], object]

# Bytes of an array whose values are kept: what a call overwrites is small (counters, grids), weights are not.
LARGEST = 16 * 2**20

MAPPINGS = (OrderedDict, defaultdict, dict)
SEQUENCES = (list, deque)
SAVED: dict[type[Any], str] = {
    **dict.fromkeys((*MAPPINGS, Counter), "_mapping"),
    **dict.fromkeys(SEQUENCES, "_sequence"),
    set: "_set",
}
PLAIN = (str, bytes, int, float, complex, bool, type(None), range, slice)
# What is nobody's state, or cannot be looked into.
CLOSED = (type, types.ModuleType, types.BuiltinFunctionType, types.GeneratorType, types.CodeType, types.FrameType)

# Packages whose own objects are left alone, unless `opens` says otherwise: they are no part of a model.
FOREIGN = frozenset(
    {"torch", "tensorflow", "keras", "jax", "jaxlib", "numpy", "onnxruntime", "pytest", "_pytest", "pluggy"}
    | sys.stdlib_module_names
) - {"__main__", "builtins"}
# Those of Python's own that do nothing but hold what somebody puts into them.
HOLDERS = (
    *(types.SimpleNamespace, argparse.Namespace, threading.local, UserDict, UserList, ChainMap),
    *(weakref.WeakKeyDictionary, weakref.WeakValueDictionary),
)


class State:
    """The state of some objects and of all that they reach, to be put back by `restore`.

    Args:
        roots: where it starts: a module with its submodules, a function.
        array: what puts the values of an array back; None for what is no array.
        opens: whether the attributes of a library's own object are looked into (a layer).
        keeps: whether an attribute of an object is left as it is now: what the library itself notes.

    Attributes:
        opened: the functions, and the objects with attributes, that were found.
    """

    def __init__(
        self,
        roots: Iterable[object],
        array: Callable[[Any], Undo | None],
        opens: Callable[[object], bool] = lambda value: False,
        keeps: Callable[[object, str], bool] = lambda value, name: False,
    ) -> None:
        self._array = array
        self._opens = opens
        self._keeps = keeps
        self._seen: dict[int, object] = {}
        self._undo: list[Undo] = []
        self.opened: list[Any] = []
        pending = list(roots)
        while pending:
            value = pending.pop()
            if not isinstance(value, PLAIN) and id(value) not in self._seen:
                self._seen[id(value)] = value  # held, so that no other object gets its id
                pending += self._save(value)

    def restore(self) -> None:
        """Put everything back, as far as it has changed."""
        for undo in self._undo:
            undo()

    def _save(self, value: Any) -> Iterable[object]:
        """Note how one object is now; return what it holds."""
        if (undo := self._array(value) or _generator(value)) is not None:
            self._undo.append(undo)
            return list(value.flat) if getattr(getattr(value, "dtype", None), "hasobject", False) else ()
        if isinstance(value, tuple | frozenset):
            return value
        if type(value) in SAVED:
            return list(getattr(self, SAVED[type(value)])(value))
        if isinstance(value, types.FunctionType | types.MethodType | functools.partial):
            return self._function(value)
        if isinstance(value, functools._lru_cache_wrapper):
            self._undo.append(emptied(value))
        if isinstance(value, dict) and not issubclass(type(value), dict):
            return self._proxy(value)
        if self._is_open(value):
            return self._object(value)
        return [value.__wrapped__] if callable(value) and hasattr(value, "__wrapped__") else []

    def _mapping(self, value: dict[Any, Any]) -> list[object]:
        # The base's own methods: those of a subclass may refuse, or note what they do.
        kind = next(kind for kind in MAPPINGS if isinstance(value, kind))
        items = list(kind.items(value))

        def undo() -> None:
            if not _same(items, list(kind.items(value))):
                kind.clear(value)
                kind.update(value, items)

        self._undo.append(undo)
        return [held for _, held in items]

    def _proxy(self, value: Any) -> list[object]:
        """What stands for a dict, as TensorFlow's tracked ones do, which have to be told of a change."""
        held = self._mapping(value.__wrapped__)
        if hasattr(value, "_update_snapshot"):
            self._undo.append(value._update_snapshot)
        return held

    def _sequence(self, value: list[Any] | deque[Any]) -> list[object]:
        kind: Any = next(kind for kind in SEQUENCES if isinstance(value, kind))
        held = list(kind.__iter__(value))

        def undo() -> None:
            now = list(kind.__iter__(value))
            if len(held) != len(now) or any(a is not b for a, b in zip(held, now, strict=True)):
                kind.clear(value)
                kind.extend(value, held)

        self._undo.append(undo)
        return held

    def _set(self, value: set[Any]) -> list[object]:
        held = list(value)

        def undo() -> None:
            if value != set(held):
                value.clear()
                value.update(held)

        self._undo.append(undo)
        return held

    def _function(self, value: Any) -> list[object]:
        """What a function closes over, is bound to, or remembers as its own attributes."""
        if isinstance(value, functools.partial):
            return [value.func, value.args, value.keywords, *self._mapping(vars(value))]
        if isinstance(value, types.MethodType):
            return [value.__self__, value.__func__]
        self.opened.append(value)
        cells = [cell for cell in value.__closure__ or () if _filled(cell)]
        contents = [cell.cell_contents for cell in cells]

        def undo() -> None:
            for cell, content in zip(cells, contents, strict=True):
                if not _filled(cell) or cell.cell_contents is not content:
                    cell.cell_contents = content

        self._undo.append(undo)
        return [*contents, *self._mapping(vars(value)), value.__defaults__, value.__kwdefaults__]

    def _is_open(self, value: object) -> bool:
        if isinstance(value, CLOSED):
            return False
        own = type(value).__module__.partition(".")[0] not in FOREIGN
        return own or isinstance(value, HOLDERS) or self._opens(value)

    def _object(self, value: Any) -> list[object]:
        self.opened.append(value)
        self._undo.append(_of_its_class(value))
        held = [*self._attributes(value, getattr(value, "__dict__", None)), *self._slots(value)]
        # A container of the user's own: a subclass of dict or list.
        if isinstance(value, MAPPINGS):
            held += self._mapping(value)
        if isinstance(value, SEQUENCES):
            held += self._sequence(value)
        return held

    def _attributes(self, value: Any, own: object) -> list[object]:
        """Attributes that the library itself notes stay as they are; only what the others were comes back."""
        if not isinstance(own, dict):
            return []
        before = {name: held for name, held in own.items() if not self._keeps(value, name)}

        def undo() -> None:
            now = {name: held for name, held in own.items() if not self._keeps(value, name)}
            if not _same(list(before.items()), list(now.items())):
                noted = {name: held for name, held in own.items() if name not in now}
                own.clear()
                own.update(before | noted)

        self._undo.append(undo)
        return list(before.values())

    def _slots(self, value: Any) -> list[object]:
        names = list(_slot_names(type(value)))
        before = {name: getattr(value, name) for name in names if hasattr(value, name)}

        def undo() -> None:
            for name in names:
                if name in before and getattr(value, name, None) is not before[name]:
                    object.__setattr__(value, name, before[name])
                elif name not in before and hasattr(value, name):
                    object.__delattr__(value, name)

        if names:
            self._undo.append(undo)
        return list(before.values())


def _of_its_class(value: Any) -> Undo:
    """Return what makes an object one of its class again: parametrizations of PyTorch give it another."""
    kind = type(value)

    def undo() -> None:
        if type(value) is not kind:
            value.__class__ = kind

    return undo


def _generator(value: Any) -> Undo | None:
    """Return what puts a generator of random numbers back; None for what is none."""
    if isinstance(value, random.Random) and not isinstance(value, random.SystemRandom):
        return functools.partial(value.setstate, value.getstate())
    numpy = sys.modules.get("numpy")
    if numpy is None or not isinstance(value, numpy.random.Generator | numpy.random.RandomState):
        return None
    if isinstance(value, numpy.random.RandomState):
        return functools.partial(value.set_state, value.get_state())
    return functools.partial(setattr, value.bit_generator, "state", value.bit_generator.state)


def emptied(cached: Any) -> Undo:
    """Return what empties a cache if it has been filled meanwhile."""
    size = cached.cache_info().currsize

    def undo() -> None:
        if cached.cache_info().currsize != size:
            cached.cache_clear()

    return undo


def _same(before: list[tuple[Any, Any]], now: list[tuple[Any, Any]]) -> bool:
    return len(before) == len(now) and all(a[0] is b[0] and a[1] is b[1] for a, b in zip(before, now, strict=True))


def _slot_names(kind: type) -> Iterator[str]:
    for base in kind.__mro__:
        slots = vars(base).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            mangled = name.startswith("__") and not name.endswith("__")
            if name not in ("__dict__", "__weakref__"):
                yield f"_{base.__name__.lstrip('_')}{name}" if mangled else name


def numpy_array(value: Any) -> Undo | None:
    """Return what puts the values of a numpy array back; None for what is none."""
    import numpy as np

    if not isinstance(value, np.ndarray):
        return None
    if value.nbytes > LARGEST or not value.flags.writeable:
        return unchanged
    before = value.copy()

    def undo() -> None:
        if value.tobytes() != before.tobytes():
            value[...] = before

    return undo


def unchanged() -> None:
    """Put nothing back."""


def _filled(cell: types.CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True
