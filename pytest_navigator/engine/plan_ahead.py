"""Which steps of a run can run ahead of the items that report them, in which order."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pytest_navigator.core.steps import KINDS, Per

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_navigator.core.steps import Step
    from pytest_navigator.engine.suite import Suite

    Id = tuple[str, str]
    """The node id of a suite, and the id of a step of it."""

# What a child does by itself: the rest needs the live model, or the machine for itself.
KINDS_AHEAD = ("convert", "correctness", "decoding")


class Planned(NamedTuple):
    """A step of the run, and its place in it."""

    place: int
    suite: Suite
    step: Step

    @property
    def id(self) -> Id:
        """What tells it from the others."""
        return self.suite.nodeid, self.step.id


class Plan:
    """What runs ahead: the steps that items of this run report, in the order of the items, and what they need."""

    def __init__(self, steps: Iterable[tuple[Suite, Step]]) -> None:
        self._of: dict[str, list[Planned]] = {}
        for place, (suite, step) in enumerate(steps):
            self._of.setdefault(suite.nodeid, []).append(Planned(place, suite, step))

    def of(self, nodeid: str) -> list[Planned]:
        """Return those of a suite that a child does by itself."""
        found: dict[Id, Planned] = {}
        for place, suite, step in self._of.get(nodeid, ()):
            for each in (*suite.matrix.before(step), *suite.matrix.judged(step), step):
                if each.step in KINDS_AHEAD and not _is_live(suite, each):
                    found.setdefault((nodeid, each.id), Planned(place, suite, each))
        return list(found.values())


def _is_live(suite: Suite, step: Step) -> bool:
    return KINDS[step.step].per is not Per.CONVERTED and suite.matrix.runners[step.runner].live
