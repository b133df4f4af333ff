"""Throughput over the batch size (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.profiling.figures import rounded
from pytest_navigator.reporting.html.axes import Tick, axis
from pytest_navigator.reporting.html.plot import (
    FOOT,
    MOST,
    TOP,
    WIDTH,
    Curve,
    Plot,
    apart,
    profiles,
    searched,
    short,
)

if TYPE_CHECKING:
    from pytest_navigator.package.query.results import Results
    from pytest_navigator.reporting.html.axes import Axis

    Sized = dict[str, dict[int, float]]
    """Name of a cell -> batch size -> infer/s, the smallest size first."""

HEIGHT, LEFT, RIGHT = 270, 75, 240  # px of it, at its left, at its right for the names
LABEL = 15  # px of a name
FORMS = 6  # Of marks
MOST_SIZES = 12  # Sizes that are written below the axis
COARSE = 0.005  # Nobody reads four digits of a throughput


def throughputs(results: Results) -> Plot | None:
    """Return the throughput of every runner over the batch size; None: nothing was measured at several sizes.

    Beside the sizes that were measured in full, they are those that a search has tried.
    """
    sized = _sized(results)
    sizes = sorted({size for own in sized.values() for size in own})
    if len(sizes) < 2:
        return None
    across = axis(sizes, LEFT + 20, WIDTH - RIGHT, log=True)
    up = axis((rate for own in sized.values() for rate in own.values()), HEIGHT - FOOT, TOP)
    most, at, cell = max((rate, size, cell) for cell, own in sized.items() for size, rate in own.items())
    return Plot(
        what="Throughput by batch size",
        label=f"Throughput of {len(sized)} runners at {len(sizes)} batch sizes; the most is {_text(most)} infer/s "
        f"by {cell} at batch {at}. The table below has every figure.",
        unit=f"batch size; upwards: infer/s{', logarithmic' if up.log else ''}",
        ticks=tuple(Tick(across.at(size), str(size)) for size in _few(sizes)),
        head=("runner, infer/s", *(f"batch {size}" for size in sizes)),
        rows=tuple((name, *(_text(own.get(size)) for size in sizes)) for name, own in sized.items()),
        height=HEIGHT,
        curves=tuple(_curves(sized, across, up)),
        levels=tuple(up.ticks()),
        left=LEFT,
        right=WIDTH - RIGHT,
    )


def _sized(results: Results) -> Sized:
    found: Sized = {}
    for name, tried in searched(results):
        found.setdefault(name, {}).update({each.batch_size: each.throughput for each in tried})
    for name, result in profiles(results):
        if result.batch_size:
            found.setdefault(name, {})[result.batch_size] = result.throughput
    return {name: dict(sorted(own.items())) for name, own in found.items()}


def _few(sizes: list[int]) -> list[int]:
    """Return the sizes that are written below the axis: they must not stand on each other."""
    every = -(-len(sizes) // MOST_SIZES)
    return sizes[::-1][::every]


def _curves(sized: Sized, across: Axis, up: Axis) -> list[Curve]:
    shown = list(sized.items())[: MOST // 4]
    places = apart([up.at(own[max(own)]) for _, own in shown], LABEL)
    return [
        Curve(
            name=short(name),
            sign=i % FORMS,
            points=tuple((across.at(size), up.at(rate)) for size, rate in own.items()),
            text=f"{name}: " + ", ".join(f"{_text(rate)} infer/s at batch {size}" for size, rate in own.items()),
            label=place,
        )
        for i, ((name, own), place) in enumerate(zip(shown, places, strict=True))
    ]


def _text(rate: float | None) -> str:
    return "-" if rate is None else rounded(rate, COARSE)
