"""Budgets as text: `onnx-cpu p50<5ms p99@batch8<40ms size<50MiB full_offload`."""

from __future__ import annotations

import math
import re
from argparse import ArgumentTypeError
from typing import TYPE_CHECKING

from pytest_navigator.configuration.budgets import BOUNDS, Limit
from pytest_navigator.configuration.rules import FROM_ZERO, POSITIVE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_navigator.configuration.budgets import Bound

# Blanks around a sign, and between a number and its unit.
BLANKS = re.compile(r"\s*(?=[<>=])|(?<=[<>=])\s*|(?<=\d)\s+(?=(?:us|ms|s|x|[kKMG]i?B)(?:\s|$))")


def limits_of(line: str) -> list[Limit]:
    """Return the limits of one line, `onnx-cpu p50<5ms p99@batch8<40ms size<50MiB full_offload`.

    Raises:
        ArgumentTypeError: with the word that is none, and what may stand there.
    """
    name, *words = BLANKS.sub("", line).split() or [""]
    if not words or re.search(r"[<>=@]", name):
        raise ArgumentTypeError(f"{line.strip()!r} is no budget: a name and its limits, like 'onnx-cpu p50<5ms'")
    return [_limit(name, word) for word in words]


NUMBER = re.compile(r"([-+]?(?:nan|inf|[\d.]*(?:[eE][-+]?\d+)?))(.*)", re.DOTALL)
WORD = re.compile(r"(?P<bound>[^<>=@]+)(@(?P<batch>[^<>=@]*))?((?P<sign>[<>=]+)(?P<value>[^<>=@]*))?")


def _limit(name: str, word: str) -> Limit:
    found = WORD.fullmatch(word)
    bound = BOUNDS.get(found["bound"]) if found else None
    if found is None or bound is None:
        raise ArgumentTypeError(f"{word!r} limits nothing that is known; there are: {', '.join(map(_example, BOUNDS))}")
    if found["sign"] not in _signs(bound):
        raise ArgumentTypeError(f"{word!r} is no limit: write {_example(bound.name)}")
    value = 1.0 if bound.switch else _value(bound, word, found["value"])
    return Limit(name, bound.name, value, _batch(bound, word, found["batch"]))


def _signs(bound: Bound) -> tuple[str | None, ...]:
    if bound.switch:
        return (None,)
    return (bound.sign,) if bound.counts else (bound.sign, f"{bound.sign}=")


def _value(bound: Bound, word: str, text: str) -> float:
    number, unit = NUMBER.fullmatch(text).groups()  # type: ignore[union-attr]
    if unit not in bound.units:
        units = ", ".join(filter(None, bound.units)) or "none"
        said = f"has the unit {unit!r}" if unit else f"has no unit: write {word}{bound.unit}"
        raise ArgumentTypeError(f"{word!r} {said} (units: {units})")
    rule = FROM_ZERO if bound.counts else POSITIVE
    try:
        value = int(number) if bound.counts else float(number) * bound.units[unit]
    except ValueError:
        value = math.nan
    if not rule.fits(value):
        raise ArgumentTypeError(f"{word!r}: {rule.text} is needed, like {_example(bound.name)}")
    return float(value)


def _batch(bound: Bound, word: str, text: str | None) -> int | None:
    if text is None:
        return None
    if not bound.measured:
        raise ArgumentTypeError(f"{word!r}: {bound.name} is of no batch size")
    if not re.fullmatch(r"batch[1-9]\d{0,8}", text):
        raise ArgumentTypeError(f"{word!r}: a batch size is written like p50@batch8<20ms")
    return int(text.removeprefix("batch"))


def _example(name: str) -> str:
    bound = BOUNDS[name]
    return name if bound.switch else f"{name}{bound.sign}{0 if bound.counts else 5}{bound.unit}"


def parse(text: str) -> tuple[str, ...]:
    """Read lines of budgets; returns each as it is written everywhere else.

    Raises:
        ArgumentTypeError: one of them is none.
    """
    return tuple(_line(limits_of(line)) for line in text.splitlines() if line.strip())


def _line(limits: Sequence[Limit]) -> str:
    return " ".join([limits[0].name, *(limit.text for limit in limits)])
