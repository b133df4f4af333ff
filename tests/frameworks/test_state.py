"""What objects keep between two calls comes back, wherever a call or an exporter has put something else."""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections import defaultdict
from collections import deque
from typing import TYPE_CHECKING
from typing import Any

import numpy as np
import pytest

from pytest_navigator.frameworks.state import LARGEST
from pytest_navigator.frameworks.state import numpy_array
from pytest_navigator.frameworks.state import restored

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager


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
