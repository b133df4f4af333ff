"""The first value that a SavedModel computes otherwise than its source: by Keras layers, or by modules of JAX."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.backends.jax.diagnosis import JaxDiagnosis
from pytest_navigator.backends.tensorflow.diagnosis import KerasDiagnosis
from pytest_navigator.formats.diagnosis import Diagnosis

if TYPE_CHECKING:
    from pytest_navigator.comparison.divergence import Divergence
    from pytest_navigator.formats.diagnosis import Question
    from pytest_navigator.frameworks.base import Source


class SavedModelDiagnosis(Diagnosis):
    """Of a SavedModel, by what its source is."""

    def asks_model(self, question: Question) -> bool:
        """Whether the model itself is needed: always."""
        return True

    def capture(self, source: Source, question: Question) -> None:
        """Ask the live model."""
        _by_source(question).capture(source, question)

    def compare(self, question: Question) -> Divergence:
        """Compare the file with that."""
        return _by_source(question).compare(question)


def _by_source(question: Question) -> Diagnosis:
    return JaxDiagnosis() if "jax" in question.variants else KerasDiagnosis()
