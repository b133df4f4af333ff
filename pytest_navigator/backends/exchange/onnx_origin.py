"""What an ONNX file is made from, where the file itself has nothing that tells its right values."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_navigator.backends.jax.diagnosis import JaxDiagnosis
from pytest_navigator.backends.tensorflow.diagnosis import KerasDiagnosis

if TYPE_CHECKING:
    from pytest_navigator.comparison.divergence import Divergence
    from pytest_navigator.formats.diagnosis import Diagnosis, Question

SAVED_MODEL = "tf-savedmodel"
REASON = "the file is made from what is wrong already"


def origin(question: Question) -> Diagnosis | None:
    """Return what can look into the model that a file was made of, None where nothing can."""
    if "jax" in question.variants:
        return JaxDiagnosis()
    parent = question.variants.get(question.variant.parent or "")
    made = "tensorflow" in question.variants and parent is not None and parent.format == SAVED_MODEL
    return KerasDiagnosis() if made else None


def of_origin(question: Question) -> Divergence | None:
    """Return where the model was another one before it was ONNX, None where nothing tells."""
    way = origin(question)
    if way is None or not any(question.references.glob("*")):
        return None
    found = _of_savedmodel(question) if isinstance(way, KerasDiagnosis) else way.compare(question)
    return replace(found, reason="; ".join(filter(None, [REASON, found.reason]))) if found.value else None


def _of_savedmodel(question: Question) -> Divergence:
    from pytest_navigator.backends.exchange.savedmodel import TensorFlowSavedModelFormat

    runner = TensorFlowSavedModelFormat().runner_specs[0].record()
    parent = replace(question, key=question.variant.parent or "", runner=runner)
    shutil.copytree(question.references, parent.references, dirs_exist_ok=True)
    try:
        return KerasDiagnosis().compare(parent)
    finally:
        shutil.rmtree(parent.references, ignore_errors=True)
