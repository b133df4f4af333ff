"""The batch sizes that an artifact was made for, where it takes no others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.core.facts import MakingFacts, facts_of

if TYPE_CHECKING:
    from pytest_navigator.engine.context import Context


def made_sizes(context: Context) -> tuple[int, ...]:
    """Return the only batch sizes that the step's artifact takes; () where it takes what the model takes."""
    making = context.suite.matrix.making(context.variant.key)
    return facts_of(context.folder.record(making.id), MakingFacts).batch_sizes or ()
