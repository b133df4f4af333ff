"""What a value was computed in: the coarsest type of the operations that it comes from, and what it was rounded to."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, TypeVar

from pytest_navigator.comparison.precisions import PRECISIONS, coarsest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

T = TypeVar("T")

# How often the body of a loop is followed: a value passes on once a round, and there are that many precisions.
ROUNDS = 3


@dataclass(frozen=True)
class Computed:
    """What one value was computed in.

    Attributes:
        precision: the coarsest one of the operations that it comes from; "": none has rounded it. It is an input or a
            weight, moved or converted at most, and so has the same bits in every format.
        rounded: the coarser one that a conversion has brought the result to since; "": none.
    """

    precision: str = ""
    rounded: str = ""

    @property
    def total(self) -> str:
        """What an operation that takes this value works with."""
        return coarsest(self.precision, self.rounded)

    @property
    def text(self) -> str:
        """Both, as one word that `read` reads."""
        return f"{self.precision}>{self.rounded}"


def names(text: str) -> frozenset[str]:
    """Return the names of operations in a text."""
    return frozenset(text.split())


def itself(value: Computed) -> Computed:
    """Return what stands in the place of an array, where that is it."""
    return value


def read(text: str) -> Computed:
    """Return what `Computed.text` has written."""
    return Computed(*text.split(">"))


def is_written(text: str) -> bool:
    """Whether `Computed.text` has written a text: a plain number among the outputs stands there as what it is."""
    known = {"", *PRECISIONS.values(), "fp8"}
    return text.count(">") == 1 and known.issuperset(text.split(">"))


def moved(values: Iterable[Computed]) -> Computed:
    """Return what holds for elements of all these values, wherever they have gone."""
    return reduce(_both, values, Computed())


def converted(value: Computed, dtype: str) -> Computed:
    """Return what a conversion to another type makes of a value.

    An input or a weight is rounded to the same bits by everybody. A wider type brings nothing back.
    """
    to = precision_of(dtype)
    if not value.total or not to or coarsest(value.total, to) == value.total:
        return value
    return Computed(value.precision, to)


def calculated(dtype: str, operands: Iterable[Computed]) -> Computed:
    """Return what the result of an operation in floating numbers has been computed in."""
    return Computed(coarsest(precision_of(dtype), *(operand.total for operand in operands)))


def chosen(operands: Iterable[tuple[Computed, str]]) -> Computed:
    """Return the same for a result without digits: what a comparison or an argmax gives is right or wrong.

    Args:
        operands: with their types.
    """
    return moved(value for value, dtype in operands if not precision_of(dtype))


def result(
    kind: str, dtype: str, operands: Sequence[tuple[Computed, str]], moves: Iterable[str], casts: Iterable[str]
) -> Computed:
    """Return what the result of an operation has been computed in.

    Args:
        kind: name of the operation.
        dtype: of the result.
        operands: what it takes, with their types.
        moves: names of the operations that put elements elsewhere, or choose among them.
        casts: names of those that convert.
    """
    values = [value for value, _ in operands]
    if kind in casts:
        return converted(moved(values), dtype)
    if not values or kind in moves:
        return moved(values)
    return calculated(dtype, values) if precision_of(dtype) else chosen(operands)


def settled(step: Callable[[list[Computed]], list[Computed]], state: list[Computed]) -> list[Computed]:
    """Return what a loop ends with, whose body makes the next state of one."""
    for _ in range(ROUNDS):
        state = [moved(pair) for pair in zip(state, step(state), strict=True)]
    return state


def precision_of(dtype: str) -> str:
    """Return the precision of a type, "" for integers, booleans and texts."""
    if dtype in PRECISIONS:
        return PRECISIONS[dtype]
    return "fp8" if dtype.startswith("float") else ""


def _both(first: Computed, second: Computed) -> Computed:
    return Computed(coarsest(first.precision, second.precision), coarsest(first.rounded, second.rounded))
