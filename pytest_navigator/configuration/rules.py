"""What a value of the configuration must be: for people, and as a check."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import Any, NamedTuple

Check = Callable[[Any], bool]


class Rule(NamedTuple):
    """What a value must be, or what to write instead, and whether one is that."""

    text: str
    fits: Check


def is_text(value: Any) -> bool:
    """Whether this is a text with something in it."""
    return isinstance(value, str) and bool(value.strip())


def is_list(value: Any) -> bool:
    """Whether the order is the user's: a set would collect other tests in another process."""
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def are_texts(value: Any) -> bool:
    """Whether this is a list of texts."""
    return is_list(value) and all(map(is_text, value))


def mapping_of(fits: Check) -> Check:
    """Return the check of a mapping with names, and values that fit."""
    return lambda value: isinstance(value, Mapping) and all(map(is_text, value)) and all(map(fits, value.values()))


def _number(*kinds: type, holds: Check) -> Check:
    return lambda value: isinstance(value, kinds) and not isinstance(value, bool) and holds(value)


COUNT = Rule("a whole number, at least 1", _number(int, holds=lambda value: value >= 1))
FROM_ZERO = Rule("a whole number, at least 0", _number(int, holds=lambda value: value >= 0))
POSITIVE = Rule("a finite number above 0", _number(int, float, holds=lambda value: 0 < value < inf))
NOT_NEGATIVE = Rule("a finite number, at least 0", _number(int, float, holds=lambda value: 0 <= value < inf))
TEXTS = Rule("a list or tuple is needed, not a string or a set, of names", are_texts)
NAMES = Rule(
    "a list or tuple of names is needed, each once", lambda value: are_texts(value) and len(set(value)) == len(value)
)
LIST = Rule("a list or tuple is needed, not a string or a set", is_list)
