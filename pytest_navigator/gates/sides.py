"""What is compared: a run, or the package of one, as far as gates go by it; and a baseline in the workspace."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pytest_navigator.core.facts import MakingFacts, facts_of
from pytest_navigator.core.records import Outcome, Signature, SuiteRecord  # noqa: TC001  # cattrs reads annotations
from pytest_navigator.core.steps import KINDS, Status, Step

if TYPE_CHECKING:
    from pytest_navigator.core.variants import Variant

Cell = tuple[str, str]
"""Key of a variant and name of its runner."""

MADE = tuple(kind.name for kind in KINDS.values() if kind.makes)


@dataclass(frozen=True)
class Side:
    """One run.

    Attributes:
        signature: None where the source step did not pass.
        samples: of what went in, name of a file -> its digest; empty where nobody has kept them.
        verified: the cells that `verify_` tests vouch for.
        mixed: why its processes have loaded what they did by chance; "" where they have not, or nobody knows.
        sizes: of artifacts whose step has not recorded it, in B, by the key of the variant.
    """

    suite: SuiteRecord
    outcomes: tuple[Outcome, ...]
    signature: Signature | None = None
    samples: dict[str, str] = field(default_factory=dict)
    verified: tuple[Cell, ...] = ()
    sizes: dict[str, int] = field(default_factory=dict)
    mixed: str = ""

    @property
    def source(self) -> Outcome | None:
        """The source step."""
        return self.outcome(Step("source"))

    @cached_property
    def variants(self) -> dict[str, Variant]:
        """Every variant by its key."""
        return {variant.key: variant for variant in self.suite.variants}

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        """Every variant with each of its runners."""
        return tuple((key, runner) for key, variant in self.variants.items() for runner in variant.runners)

    def outcome(self, step: Step) -> Outcome | None:
        """Return how a step ended, None if it has not run."""
        return self._steps.get(step.id)

    def made(self, key: str) -> Outcome | None:
        """Return the step that made a variant, None if it has not run."""
        if key in self.suite.provided:
            return self.source
        return next((found for step in MADE if (found := self.outcome(Step(step, key)))), None)

    def size(self, key: str) -> int | None:
        """Return the size of an artifact in B, None where it is not known."""
        return facts_of(self.made(key), MakingFacts).bytes or self.sizes.get(key)

    def checked(self, cell: Cell) -> Outcome | None:
        """Return how the outputs of a cell compared with the source's, one step alone or as a generation."""
        decoding = self.outcome(Step("decoding", *cell))
        return decoding if decoding and decoding.failed else self.outcome(Step("correctness", *cell))

    def live(self, cell: Cell) -> bool:
        """Whether a cell runs the live model."""
        return self.suite.runners[cell[1]].live

    def passed(self, cell: Cell) -> bool:
        """Whether a cell passed correctness."""
        found = self.checked(cell)
        return found is not None and found.passed

    def profiles(self, cell: Cell) -> dict[str, Outcome]:
        """Return what was measured of a cell, by the id of the batch size."""
        key, runner = cell
        found = (o for o in self.outcomes if o.step == "profile" and o.status is Status.PASSED)
        return {o.batch: o for o in found if (o.key, o.runner) == (key, runner)}

    def cell_id(self, cell: Cell) -> str:
        """Return a cell as the ids of items write it: "onnx-cpu"."""
        key, runner = cell
        return f"{key}-{self.suite.runners[runner].runtime}"

    def setting(self, name: str) -> tuple[Any, str]:
        """Return a setting's value and where that was said; None and "" of one that was not recorded."""
        found = self.suite.setting(name)
        return found["value"], found["origin"]

    @cached_property
    def _steps(self) -> dict[str, Outcome]:
        # Several verify_ tests of one runner have one id, and are no steps of a run.
        return {outcome.id: outcome for outcome in self.outcomes if not KINDS[outcome.step].recorded}


@dataclass(frozen=True)
class Baseline:
    """What a run is to be no worse than.

    Attributes:
        name: of the package's file.
        commit, date: of the run that wrote it; "" where it was not recorded.
        absence: why there is none for this model; "" where there is one.
        side: None where there is none.
    """

    name: str
    commit: str = ""
    date: str = ""
    absence: str = ""
    side: Side | None = None

    @property
    def since(self) -> str:
        """Which run it is: "main.nav, 1a2b3c4 of 2026-11-21"."""
        when = " of ".join(filter(None, (self.commit, self.date)))
        return f"{self.name}, {when}" if when else self.name
