"""Which modules keep their formats: those with which the whole pipeline is right, and that are faster in it (pure)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from pytest_navigator.pipelines.pace import caveat, doubts, not_faster

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from pytest_navigator.pipelines.pace import Pace

    Check = Callable[[Collection[str]], str]
    """Why the pipeline is not right with the formats of these modules; "" if it is."""

    Measure = Callable[[Collection[str]], tuple[Pace, Pace] | None]
    """The paces of the pipeline as it is and with the formats of these modules; None: they cannot be had."""


class Gain(NamedTuple):
    """What a format makes of a module alone: ms of a call as it is and with the format, and how often it is called."""

    name: str
    eager_ms: float | None
    chosen_ms: float | None
    calls: float


def by_gain(gains: Iterable[Gain]) -> list[str]:
    """Return the names of the modules, the one that gains most first; one may have several formats."""
    found: dict[str, float] = {}
    for name, eager, chosen, calls in gains:
        own = (eager - chosen) * calls if eager and chosen else 0.0
        found[name] = found.get(name, 0.0) + own
    return sorted(found, key=lambda name: -found[name])


@dataclass(frozen=True)
class Settled:
    """What is left when the pipeline is right, and faster by each module that has a format.

    Attributes:
        names: of the modules that keep their formats.
        back: those that go back to eager, each with the reason.
        slower: those of them that go back for speed alone.
        paces: of the pipeline as it is and with formats, as they were measured last; None: never.
    """

    names: tuple[str, ...]
    back: dict[str, str] = field(default_factory=dict)
    slower: frozenset[str] = frozenset()
    paces: tuple[Pace, Pace] | None = None

    @property
    def caveat(self) -> str:
        """What a reader of the paces must know; "" for nothing."""
        return caveat(*self.paces) if self.paces else ""

    @property
    def doubts(self) -> dict[str, str]:
        """What speaks against the formats of modules that keep them, and is not borne out."""
        return doubts(*self.paces, self.names) if self.paces else {}


def settle(names: Sequence[str], check: Check, measure: Measure) -> Settled:
    """Let modules go back to eager until the pipeline is right, and none is slower in it than as it is.

    Args:
        names: of the modules that have formats, the one that gains most first.
        check: runs the pipeline.
        measure: is asked only where the pipeline is right.
    """
    back: dict[str, str] = {}
    slower: set[str] = set()
    paces: tuple[Pace, Pace] | None = None
    while left := [name for name in names if name not in back]:
        more = settled(left, check)
        if not more:
            paces = measure(left)
            more = not_faster(*paces, left) if paces else {}
            slower |= more.keys()
        if not more:
            break
        back |= more
    return Settled(tuple(left), back, frozenset(slower), paces)


def settled(names: Sequence[str], check: Check) -> dict[str, str]:
    """Return the modules that go back to eager, each with the reason.

    Each that is wrong alone goes; then, as long as the others together are wrong, the last one.

    Args:
        names: of the modules that have formats, the one that gains most first.
        check: runs the pipeline.
    """
    problem = check(names) if names else ""
    if not problem:
        return {}
    if len(names) == 1:
        return {names[0]: problem}
    back = {name: alone for name in names if (alone := check([name]))}
    left = [name for name in names if name not in back]
    problem = check(left) if back and left else problem if left else ""
    while problem:
        back[left.pop()] = f"right alone, and not together with the other formats: {problem}"
        problem = check(left) if left else ""
    return back
