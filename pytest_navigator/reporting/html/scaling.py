"""Throughput over the batch size (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
    short,
    size_of,
    throughput,
)

if TYPE_CHECKING:
    from pytest_navigator.core.records import ProfileResult
    from pytest_navigator.package.query.results import Results
    from pytest_navigator.reporting.html.axes import Axis

    Sized = dict[str, list[ProfileResult]]
    """Name of a cell -> its figures, by batch size."""

HEIGHT, LEFT, RIGHT = 270, 75, 240  # px of it, at its left, at its right for the names
LABEL = 15  # px of a name
FORMS = 6  # Of marks


def throughputs(results: Results) -> Plot | None:
    """Return the throughput of every runner over the batch size; None: nothing was measured at several sizes."""
    sized = _sized(results)
    sizes = sorted({size_of(result) for own in sized.values() for result in own})
    if len(sizes) < 2:
        return None
    across = axis(sizes, LEFT + 20, WIDTH - RIGHT, log=True)
    up = axis((result.throughput for own in sized.values() for result in own), HEIGHT - FOOT, TOP)
    best, cell = max(((r, cell) for cell, own in sized.items() for r in own), key=lambda each: each[0].throughput)
    return Plot(
        what="Throughput by batch size",
        label=f"Throughput of {len(sized)} runners at {len(sizes)} batch sizes; the most is {throughput(best)} infer/s "
        f"by {cell} at batch {best.batch_size}. The table below has every figure.",
        unit=f"batch size; upwards: infer/s{', logarithmic' if up.log else ''}",
        ticks=tuple(Tick(across.at(size), str(size)) for size in sizes),
        head=("runner, infer/s", *(f"batch {size}" for size in sizes)),
        rows=tuple(_row(name, own, sizes) for name, own in sized.items()),
        height=HEIGHT,
        curves=tuple(_curves(sized, across, up)),
        levels=tuple(up.ticks()),
        left=LEFT,
        right=WIDTH - RIGHT,
    )


def _sized(results: Results) -> Sized:
    found: Sized = {}
    for name, result in profiles(results):
        if result.batch_size:
            found.setdefault(name, []).append(result)
    return {name: sorted(own, key=size_of) for name, own in found.items()}


def _curves(sized: Sized, across: Axis, up: Axis) -> list[Curve]:
    shown = list(sized.items())[: MOST // 4]
    places = apart([up.at(own[-1].throughput) for _, own in shown], LABEL)
    return [
        Curve(
            name=short(name),
            sign=i % FORMS,
            points=tuple((across.at(size_of(r)), up.at(r.throughput)) for r in own),
            text=f"{name}: " + ", ".join(f"{throughput(r)} infer/s at batch {r.batch_size}" for r in own),
            label=place,
        )
        for i, ((name, own), place) in enumerate(zip(shown, places, strict=True))
    ]


def _row(name: str, own: list[ProfileResult], sizes: list[int]) -> tuple[str, ...]:
    known = {size_of(result): throughput(result) for result in own}
    return (name, *(known.get(size, "-") for size in sizes))
