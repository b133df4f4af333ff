"""What objects keep between two calls comes back, wherever a call or an exporter has put something else."""

from __future__ import annotations

import argparse
import functools
import importlib
import random
import sys
import threading
import types
import weakref
from collections import ChainMap, Counter, OrderedDict, UserDict, UserList, defaultdict, deque
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pytest_navigator.frameworks.state import LARGEST, numpy_array
from pytest_navigator.frameworks.surroundings import restored

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path


class Slotted:
    __slots__ = ("__hidden", "absent", "kept")

    def __init__(self, kept: object) -> None:
        self.kept = kept
        self.__hidden = kept

    @property
    def hidden(self) -> object:
        return self.__hidden

    def hide(self, value: object) -> None:
        self.__hidden = value


class Cache(dict[Any, Any]):
    """A container of the user's own, which does not like to be emptied."""

    def clear(self) -> None:
        raise TypeError("never")


class Model:
    shared: Any = None
    known: dict[int, Any] = {}

    def __init__(self) -> None:
        self.number = 1
        self.listed = [1, [2]]
        self.mapped: dict[Any, Any] = {"a": {"b": 1}}
        self.ordered = OrderedDict(a=1, b=2)
        self.lacking: defaultdict[str, list[int]] = defaultdict(list)
        self.queue = deque([1, 2], maxlen=3)
        self.chosen = {1, 2}
        self.pair = ([1], 2)
        self.slotted = Slotted([1])
        self.own = Cache(a=1)
        self.array = np.arange(3.0)
        self.itself = self


def preserved(*roots: object) -> AbstractContextManager[None]:
    return restored(roots, numpy_array, lambda value: isinstance(value, np.ndarray))


CHANGES: dict[str, Callable[[Any], object]] = {
    "a number": lambda m: setattr(m, "number", 2),
    "a new attribute": lambda m: setattr(m, "traced", object()),
    "a lost attribute": lambda m: delattr(m, "number"),
    "a list": lambda m: m.listed.append(3),
    "a nested list": lambda m: m.listed[1].clear(),
    "another list": lambda m: setattr(m, "listed", [9]),
    "a mapping": lambda m: m.mapped.update(c=2),
    "a nested mapping": lambda m: m.mapped["a"].pop("b"),
    "an order": lambda m: m.ordered.move_to_end("a"),
    "a missing key": lambda m: m.lacking["x"],
    "a queue": lambda m: m.queue.extend([3, 4]),
    "a set": lambda m: m.chosen.add(3),
    "a list in a tuple": lambda m: m.pair[0].append(3),
    "a slot": lambda m: setattr(m.slotted, "kept", 5),
    "a list in a slot": lambda m: m.slotted.kept.append(5),
    "an empty slot": lambda m: setattr(m.slotted, "absent", 5),
    "a hidden slot": lambda m: m.slotted.hide(5),
    "a container of the user's own": lambda m: m.own.update(b=2),
    "values of an array": lambda m: m.array.__imul__(2),
    "another array": lambda m: setattr(m, "array", np.zeros(2)),
}


def seen(model: Any) -> str:
    """Return everything of a model as text."""
    own = {name: value for name, value in vars(model).items() if name not in ("itself", "slotted")}
    slotted = [model.slotted.kept, hasattr(model.slotted, "absent"), model.slotted.hidden]
    return repr((own, slotted, model.itself is model))


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_changes_comes_back(change: Callable[[Any], object]) -> None:
    model = Model()
    before, held = seen(model), dict(vars(model))
    with preserved(model):
        change(model)
        assert seen(model) != before
    assert seen(model) == before
    assert all(vars(model)[name] is value for name, value in held.items())


HOLDERS: dict[str, tuple[Callable[[], Any], Callable[[Any], object], Callable[[Any], object]]] = {
    "a namespace": (lambda: types.SimpleNamespace(a=1), vars, lambda h: setattr(h, "a", 2)),
    "a namespace in a namespace": (
        lambda: types.SimpleNamespace(a=types.SimpleNamespace()),
        lambda h: vars(h.a),
        lambda h: setattr(h.a, "grid", 2),
    ),
    "parsed arguments": (lambda: argparse.Namespace(a=1), vars, lambda h: setattr(h, "b", 2)),
    "what a thread has": (threading.local, vars, lambda h: setattr(h, "a", 2)),
    "a user's dict": (UserDict, dict, lambda h: h.update(a=2)),
    "a user's list": (UserList, list, lambda h: h.append(2)),
    "a chain of mappings": (lambda: ChainMap({}), dict, lambda h: h.update(a=2)),
    "a counter": (lambda: Counter("a"), dict, lambda h: h.update("ab")),
    "a weak mapping": (weakref.WeakKeyDictionary, len, lambda h: h.update({Model: 2})),
    "an array of objects": (lambda: np.array([None, {}], object), repr, lambda h: h.__setitem__(0, 2)),
    "an object in an array": (lambda: np.array([None, {}], object), repr, lambda h: h[1].update(a=2)),
    "what a partial remembers": (lambda: functools.partial(repr), vars, lambda h: setattr(h, "seen", 2)),
    "Python's random numbers": (lambda: random.Random(1), lambda h: h.getstate(), lambda h: h.random()),
    "numpy's random numbers": (
        lambda: np.random.default_rng(1),
        lambda h: repr(h.bit_generator.state),
        lambda h: h.normal(size=3),
    ),
    "numpy's old random numbers": (
        lambda: np.random.RandomState(1),
        lambda h: repr(h.get_state()),
        lambda h: h.normal(size=3),
    ),
}
"""Objects of libraries that a model may keep things in: how they are made, what they hold, and a change of that."""


@pytest.mark.parametrize(("make", "held", "change"), HOLDERS.values(), ids=HOLDERS)
def test_what_a_library_object_holds_for_the_model_comes_back(
    make: Callable[[], Any], held: Callable[[Any], object], change: Callable[[Any], object]
) -> None:
    model = Slotted(make())
    before = str(held(model.kept))
    with preserved(model):
        change(model.kept)
        assert str(held(model.kept)) != before
    assert str(held(model.kept)) == before


def test_an_object_is_one_of_its_class_again() -> None:
    model = Model()
    with preserved(model):
        model.__class__ = type("Parametrized", (Model,), {})
    assert type(model) is Model


def test_it_comes_back_when_the_block_raises() -> None:
    model = Model()
    with pytest.raises(ZeroDivisionError), preserved(model):
        model.number = 1 // 0 if model.listed.append(3) is None else 2
    assert model.listed == [1, [2]]


def test_what_a_function_closes_over_and_remembers_comes_back() -> None:
    grid, size = {}, 0

    def call(x: int) -> int:
        nonlocal size
        size, grid[x], call.last = x, object(), x  # type: ignore[attr-defined]
        return x

    with preserved(functools.partial(call, 1)):
        call(3)
        assert (size, list(grid), call.last) == (3, [3], 3)  # type: ignore[attr-defined]
    assert (size, grid, hasattr(call, "last")) == (0, {}, False)


@functools.lru_cache
def remembered(size: int) -> object:
    return object()


def test_the_cache_of_a_function_is_emptied() -> None:
    class Caching:
        @functools.cached_property
        def once(self) -> object:
            return object()

        def call(self, size: int) -> object:
            return remembered(size), self.once

    model = Caching()
    with preserved(model):
        traced = model.call(3)
    assert remembered.cache_info().currsize == 0
    assert model.once is not traced[1]


def test_arrays_that_a_class_and_a_module_keep_are_taken_away_and_nothing_else() -> None:
    model = Model()
    with preserved(model):
        Model.shared = np.ones(2)
        Model.known[3] = (np.ones(2),)
        globals()["GRID"] = {"rows": [np.ones(2)]}
        globals()["REGISTERED"] = "a name"
    assert Model.shared is None
    assert Model.known == {}
    assert "GRID" not in globals()
    assert globals().pop("REGISTERED") == "a name"


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A module of the user's, which a variable of this one names a function of; it keeps what it has made."""
    path = tmp_path / "grids_of_mine.py"
    path.write_text("KEPT = {}\nclass Kept: grid = None\nKEEPER = Kept()\ndef grid_of(size): pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module(path.stem)
    monkeypatch.setitem(globals(), "grid_of", module.grid_of)
    yield module
    del sys.modules[path.stem]


def test_arrays_that_a_helper_module_and_its_objects_keep_are_taken_away_too(helper: Any) -> None:
    helper.KEPT["name"] = "mine"
    with preserved(Model()):
        helper.KEPT[3] = {"rows": [np.ones(2)]}
        helper.KEEPER.grid = np.ones(2)
    assert helper.KEPT == {"name": "mine"}
    assert helper.KEEPER.grid is None
    with preserved(Model()):
        helper.KEPT["other"] = "no array"
    assert helper.KEPT == {"name": "mine", "other": "no array"}


class Lazy:
    """What stands for something that cannot be had yet."""

    def __getattribute__(self, name: str) -> object:
        raise RuntimeError(f"not configured: {name}")


def test_what_stands_for_something_else_is_not_asked_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "SETTINGS", Lazy())
    model = Model()
    with preserved(model):
        model.number = 2
    assert model.number == 1


def test_weights_are_not_copied() -> None:
    """What is as large as this is no counter: a copy would double the memory that a profile measures."""
    large = np.zeros(LARGEST + 1, "uint8")
    with preserved([large]):
        large[0] = 1
    assert large[0] == 1


def test_what_belongs_to_nobody_is_left_alone() -> None:
    import logging
    import threading

    model: Any = Model()
    model.lock, model.log, model.kind, model.numbers = threading.Lock(), logging.getLogger("x"), Model, iter([1, 2])
    with preserved(model):
        model.log.level = 10
        next(model.numbers)
        model.lock.acquire()
    assert model.log.level == 10
    assert model.lock.locked()
    assert next(model.numbers) == 2
