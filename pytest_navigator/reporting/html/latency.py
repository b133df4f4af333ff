"""The latencies of the runners as boxes (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pytest_navigator.profiling.figures import caveat, rounded
from pytest_navigator.reporting.html.axes import axis
from pytest_navigator.reporting.html.plot import (
    FOOT,
    LEFT,
    MOST,
    RIGHT,
    WIDTH,
    Lane,
    Mark,
    Plot,
    batch,
    median,
    profiles,
    short,
    size_of,
    y_of,
)
from pytest_navigator.reporting.summary_figures import CAVEAT

if TYPE_CHECKING:
    from pytest_navigator.core.records import ProfileResult
    from pytest_navigator.package.query.results import Results
    from pytest_navigator.reporting.html.axes import Axis

HEAD = ("runner", "batch", "fastest, ms", "25 %, ms", "median, ms", "75 %, ms", "99 %, ms", "caveat")
SHAPES = "box from 25 % to 75 %, in it the median, line from the fastest to 99 %"


class Box(NamedTuple):
    """The latencies of a runner, in ms."""

    fastest: float
    first: float
    median: float
    third: float
    p99: float


def latencies(results: Results) -> Plot | None:
    """Return the latencies of every runner, drawn at the smallest batch size of each; None: there are none."""
    measured = profiles(results)
    if not measured:
        return None
    shown = _smallest(measured)
    scale = axis((value for _, result in shown for value in box_of(result)), LEFT, WIDTH - RIGHT)
    fastest, slowest = (f(shown, key=lambda each: each[1].p50_latency) for f in (min, max))
    return Plot(
        what=f"Latency at {', '.join(dict.fromkeys(batch(result) for _, result in shown))}",
        label=f"Latencies of {len(shown)} runners: medians from {median(fastest[1])} ms ({fastest[0]}) to "
        f"{median(slowest[1])} ms ({slowest[0]}). The table below has every figure.",
        unit=f"ms{', logarithmic' if scale.log else ''}: {SHAPES}",
        ticks=tuple(scale.ticks()),
        head=HEAD,
        rows=tuple(_row(name, result) for name, result in measured),
        height=y_of(len(shown)) + FOOT,
        lanes=tuple(_lane(i, name, result, scale) for i, (name, result) in enumerate(shown)),
    )


def _smallest(measured: list[tuple[str, ProfileResult]]) -> list[tuple[str, ProfileResult]]:
    """Return each runner once, at its smallest batch size."""
    found: dict[str, ProfileResult] = {}
    for name, result in measured:
        if name not in found or size_of(result) < size_of(found[name]):
            found[name] = result
    return list(found.items())[:MOST]


def box_of(result: ProfileResult) -> Box:
    """Return the box of a runner; what an older package does not record is as near as is known."""
    p50, p99 = result.p50_latency, result.p99_latency
    fastest, first, third = result.quartiles if len(result.quartiles) == 3 else (p50, p50, min(result.p90_latency, p99))
    return Box(fastest, first, p50, third, p99)


def _lane(i: int, name: str, result: ProfileResult, scale: Axis) -> Lane:
    box = box_of(result)
    at = Box(*map(scale.at, box))
    marks = (Mark("range", at.fastest, at.p99), Mark("box", at.first, max(at.third, at.first + 1)))
    low, middle, high = (rounded(value, 0.0) for value in (box.fastest, box.median, box.p99))
    text = f"{name}: median {middle} ms, fastest {low} ms, 99th percentile {high} ms"
    figure = f"{median(result)} ms{CAVEAT if caveat(result) else ''}"
    return Lane(short(name), y_of(i), (*marks, Mark("line", at.median)), text, figure)


def _row(name: str, result: ProfileResult) -> tuple[str, ...]:
    return (name, batch(result), *(rounded(value, 0.0) for value in box_of(result)), caveat(result) or "-")
