"""Where a SavedModel first computes something else than the live Keras layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from pytest_navigator.comparison.divergence import FUSION, Divergence
from pytest_navigator.errors import NotApplicable as NotApplicable
from pytest_navigator.formats.diagnosis import Diagnosis
from pytest_navigator.formats.local_values import clearly_right
from pytest_navigator.runners.spec import runner_class

if TYPE_CHECKING:
    from pytest_navigator.backends.tensorflow.runners import SavedModelRunner
    from pytest_navigator.formats.diagnosis import Question
    from pytest_navigator.frameworks.base import Source

# Below `Question.references`: what is known of the values at the edges of layers, and the right ones.
VALUES, ARRAYS = "values.json", "values.npz"


class KerasDiagnosis(Diagnosis):
    """Computes what enters and leaves each Keras layer from what entered and left those before it."""

    def asks_model(self, question: Question) -> bool:
        """Whether the model itself is needed: always."""
        return True

    def capture(self, source: Source, question: Question) -> None:
        """Run the live model once as it is, and trace it once as the export does: that tells the names in the file.

        Raises:
            NotApplicable: it calls no layers of Keras.
        """
        from pytest_navigator.backends.tensorflow.diagnosis.layers import known
        from pytest_navigator.core.plain import save
        from pytest_navigator.samples.npz import save_npz

        values, arrays = known(source, question)
        save(question.references / VALUES, values)
        save_npz(question.references / ARRAYS, arrays)

    def compare(self, question: Question) -> Divergence:
        """Ask first whether Grappler is to blame, then each piece."""
        from pytest_navigator.backends.tensorflow.diagnosis.pieces import TENSORFLOW, Pieces, known_values
        from pytest_navigator.formats.local_values import judged

        if _is_optimizer(question):
            return Divergence(FUSION, reason="right without TensorFlow's graph optimizer (Grappler)")
        known, arrays = known_values(question.references / VALUES, question.references / ARRAYS)
        with _runner(question) as runner:
            found = Pieces(runner, question.feed()).errors(known, arrays, question)
        return judged(question, TENSORFLOW, found, "pieces of the graph between Keras layers", {})


def _runner(question: Question) -> SavedModelRunner:
    kind = runner_class(question.runner)
    return cast("SavedModelRunner", kind(question.artifact(), question.signature, question.variant.parameters))


def _is_optimizer(question: Question) -> bool:
    """Whether the file is right when TensorFlow runs its graph as it is."""
    import tensorflow as tf

    with _runner(question) as runner:
        before = runner.infer(question.feed())
    optimizer = tf.config.optimizer
    options = optimizer.get_experimental_options()
    optimizer.set_experimental_options({**options, "disable_meta_optimizer": True})
    try:
        with _runner(question) as runner:
            outputs = runner.infer(question.feed())
    finally:
        optimizer.set_experimental_options({"disable_meta_optimizer": False, **options})
    return clearly_right(question, outputs, before)
