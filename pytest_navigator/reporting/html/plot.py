"""A plot as numbers and texts; `charts.html` draws it, and writes its table beside it (pure)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_navigator.core.facts import ThroughputFacts, facts_of, profile_result
from pytest_navigator.profiling.figures import rounded, spread
from pytest_navigator.reporting.report import cell_ids

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_navigator.core.records import Outcome, ProfileResult, SizeFigure
    from pytest_navigator.package.query.results import Results
    from pytest_navigator.reporting.html.axes import Tick

WIDTH, LEFT, RIGHT = 800, 264, 90  # px of a plot, of the names at its left, of the figures at its right
LANE, TOP, FOOT = 26, 10, 40  # px of a lane, above the first one, below the last one
NAME = 38  # Characters of a name beside a plot; the table has all of them
MOST = 60  # Lanes of a plot


@dataclass(frozen=True)
class Mark:
    """Something at a place of a lane, or from there to another: "box", "range", "line", "dot", "none", "cross"."""

    kind: str
    x: float
    to: float = 0.0


@dataclass(frozen=True)
class Lane:
    """One line of a plot: its name, its marks, what they say as text, and a figure at its end."""

    name: str
    y: float
    marks: tuple[Mark, ...]
    text: str
    figure: str = ""


@dataclass(frozen=True)
class Curve:
    """Points that belong together; `sign` is the form of their marks, 0 to 5, `label` the height of its name."""

    name: str
    sign: int
    points: tuple[tuple[float, float], ...]
    text: str
    label: float


@dataclass(frozen=True)
class Plot:
    """A plot with its table.

    Attributes:
        what: of it, one line; label: for who does not see it; unit: of the axes.
        ticks: below it; levels: at its side, of a plot with curves.
        head, rows: of the table.
        width, height: of all of it; left, right, top, foot: what is around the plot itself, in px.
    """

    what: str
    label: str
    unit: str
    ticks: tuple[Tick, ...]
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    height: float
    lanes: tuple[Lane, ...] = ()
    curves: tuple[Curve, ...] = ()
    levels: tuple[Tick, ...] = ()
    width: float = WIDTH
    left: float = LEFT
    right: float = WIDTH - RIGHT
    top: float = TOP
    foot: float = FOOT


def profiles(results: Results) -> list[tuple[str, ProfileResult]]:
    """Return every measurement: what item ids call its cell, and its figures."""
    found = [o for o in results.outcomes if o.step == "profile" and o.passed and "result" in o.data]
    return [(name, profile_result(o)) for name, o in zip(_names(results, found), found, strict=True)]


def searched(results: Results) -> list[tuple[str, tuple[SizeFigure, ...]]]:
    """Return the batch sizes that each search has tried, by the name of its cell."""
    found = [o for o in results.outcomes if o.step == "throughput"]
    return [(name, facts_of(o, ThroughputFacts).sizes) for name, o in zip(_names(results, found), found, strict=True)]


def compared(results: Results) -> list[tuple[str, Outcome]]:
    """Return every comparison: what item ids call its cell, and its outcome."""
    found = [o for o in results.outcomes if o.step == "correctness"]
    return list(zip(_names(results, found), found, strict=True))


def _names(results: Results, outcomes: Sequence[Outcome]) -> list[str]:
    return cell_ids(results, [(o.key, o.runner) for o in outcomes])


def size_of(result: ProfileResult) -> int:
    """Return a batch size, 0 without a batch axis."""
    return result.batch_size or 0


def batch(result: ProfileResult) -> str:
    """Return a batch size for people."""
    return f"batch {result.batch_size}" if result.batch_size else "no batch"


def median(result: ProfileResult) -> str:
    """Return the median latency in ms, with the digits that mean something."""
    return rounded(result.p50_latency, spread(result))


def y_of(lane: int) -> float:
    """Return where a lane begins."""
    return TOP + lane * LANE


def short(name: str) -> str:
    """Return a name that fits beside a plot."""
    return name if len(name) <= NAME else f"{name[: NAME - 1]}…"


def apart(wanted: Sequence[float], gap: float) -> list[float]:
    """Return the places of labels, none on another."""
    found, last = [0.0] * len(wanted), -math.inf
    for place, i in sorted((place, i) for i, place in enumerate(wanted)):
        last = found[i] = max(place, last + gap)
    return found
