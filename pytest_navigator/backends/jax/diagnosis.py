"""Where a JAX model first computes something else once it is traced, which every export of it begins with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.comparison.divergence import Divergence
from pytest_navigator.core.plain import load, save
from pytest_navigator.formats.diagnosis import Diagnosis

if TYPE_CHECKING:
    from pytest_navigator.formats.diagnosis import Question
    from pytest_navigator.frameworks.base import Source

FOUND = "found.json"  # Below `Question.references`: what was found where the model is


class JaxDiagnosis(Diagnosis):
    """Traces the modules of the live model, each cut off from the others: no artifact tells them apart."""

    def asks_model(self, question: Question) -> bool:
        """Whether the model itself is needed: always."""
        return True

    def capture(self, source: Source, question: Question) -> None:
        """Find out all there is to know.

        Raises:
            NotApplicable: the model has no modules.
        """
        from pytest_navigator.backends.jax.modules import divergence

        save(question.references / FOUND, divergence(source, question))

    def compare(self, question: Question) -> Divergence:
        """Return what `capture` has found."""
        return load(question.references / FOUND, Divergence)
