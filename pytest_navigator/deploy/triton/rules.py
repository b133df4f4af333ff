"""What a value of a configuration may be: a rule says it in words, for the error, and as a check."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_navigator.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable
    from enum import Enum


class Rule(NamedTuple):
    """What a value may be.

    Attributes:
        needed: in words; fits: whether a value is it.
        read: what a value that fits stands for; None: itself.
    """

    needed: str
    fits: Callable[[Any], bool]
    read: Callable[[Any], Any] | None = None


def check(owner: object, **rules: Rule) -> None:
    """Hold fields of a configuration against their rules; texts that stand for something else become that.

    Raises:
        ConfigError: names the first field whose value is something else.
    """
    for name, rule in rules.items():
        value = getattr(owner, name)
        if not rule.fits(value):
            raise wrong(owner, name, f"{rule.needed} is needed")
        if rule.read:
            object.__setattr__(owner, name, rule.read(value))


def wrong(owner: object, name: str, why: str) -> ConfigError:
    """Return the error for a field, with its value."""
    return ConfigError(f"{type(owner).__name__}({name}={getattr(owner, name)!r}): {why}")


def whole(least: int, most: int | None = None) -> Rule:
    """Return the rule of a whole number."""
    text = f"a whole number from {least} {'on' if most is None else f'to {most}'}"
    return Rule(text, lambda value: type(value) is int and value >= least and (most is None or value <= most))


def member(kind: type[Enum]) -> Rule:
    """Return the rule of an enumeration's member, or of its text."""
    names = ", ".join(f"{kind.__name__}.{each.name}" for each in kind)
    return Rule(f"one of {names}", lambda value: value in list(kind), kind)


def instance(*kinds: type) -> Rule:
    """Return the rule of an object of one of these classes."""
    names = " or ".join(kind.__name__ for kind in kinds)
    return Rule(names, lambda value: isinstance(value, kinds))


def optional(rule: Rule) -> Rule:
    """Return the rule of what may be None."""
    read = rule.read
    taken = (lambda value: None if value is None else read(value)) if read else None
    return Rule(f"{rule.needed} (or None)", lambda value: value is None or rule.fits(value), taken)


def several(rule: Rule) -> Rule:
    """Return the rule of a list or a tuple."""
    return Rule(
        f"a list, of which each is {rule.needed},",
        lambda value: isinstance(value, list | tuple) and all(map(rule.fits, value)),
    )


def named(rule: Rule) -> Rule:
    """Return the rule of a dict by name."""
    return Rule(
        f"a dict by name, and for each value {rule.needed}",
        lambda value: isinstance(value, Mapping) and all(isinstance(k, str) and rule.fits(v) for k, v in value.items()),
    )


COUNT = whole(0)
FLAG = Rule("True or False", lambda value: isinstance(value, bool))
NAME = Rule("a text that is not empty", lambda value: isinstance(value, str) and bool(value))
SHARE = Rule("a number from 0 to 1", lambda value: type(value) in (int, float) and 0 <= value <= 1)
SHAPE = Rule(
    "a tuple of sizes, each a whole number from 1 on, or -1 where the axis is dynamic",
    lambda value: isinstance(value, list | tuple) and all(type(n) is int and (n >= 1 or n == -1) for n in value),
)
FIXED_SHAPE = Rule(
    "a tuple of sizes, each a whole number from 1 on",
    lambda value: isinstance(value, list | tuple) and all(type(n) is int and n >= 1 for n in value),
)
SCALAR = Rule("a text, a number, True or False", lambda value: isinstance(value, str | int | float | bool))
