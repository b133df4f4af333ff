"""ONNX of SavedModels, by tf2onnx."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

from pytest_navigator.errors import StepFailed
from pytest_navigator.formats.exporting import exporter
from pytest_navigator.reproduce import tensorflow as text
from pytest_navigator.runners.onnx import SESSION_OPTIONS
from pytest_navigator.runners.tensorflow import SIGNATURE
from pytest_navigator.runners.tensorflow import signature_name

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np

    from pytest_navigator.records import JSON
    from pytest_navigator.records import Signature
    from pytest_navigator.records import Variant
    from pytest_navigator.reproduce.parts import MakingCode
    from pytest_navigator.reproduce.parts import Subject

OPSETS = range(13, 19)
"""What tf2onnx 1.17 writes and ONNX Runtime takes."""


def convert_savedmodel(
    parent: Path, example: Mapping[str, np.ndarray], signature: Signature, variant: Variant, path: Path
) -> dict[str, JSON]:
    """Convert a signature of a SavedModel; it needs no example.

    Raises:
        StepFailed: tf2onnx has not this opset, or no ONNX operator for one of TensorFlow's.
    """
    import onnx
    import tensorflow as tf

    from pytest_navigator.reproduce.tf2onnx_model import converted

    opset = variant.parameters["opset"]
    if opset not in OPSETS:
        raise StepFailed(f"tf2onnx writes the opsets {OPSETS[0]} to {OPSETS[-1]}: {opset} is not possible")
    names = dict(zip(text.argument_names(signature), (spec.name for spec in signature.inputs), strict=True))
    with exporter("tf2onnx") as lines:
        loaded = tf.saved_model.load(str(parent))
        chosen = signature_name(list(loaded.signatures), variant.parameters)
        outputs = [spec.name for spec in signature.outputs]
        made = converted(loaded, chosen, names, outputs, opset, _options(variant.parameters))
        onnx.save(made, str(path))
    return {"engine": "tf2onnx", "signature": chosen, "warnings": lines}


def savedmodel_script(subject: Subject) -> MakingCode:
    """Return the same as source text."""
    return text.conversion_code(
        subject,
        subject.data.get("signature") or subject.variant.parameters["signature"] or SIGNATURE,
        _options(subject.variant.parameters),
    )


def _options(parameters: Mapping[str, JSON]) -> dict[str, Any]:
    return {key: value for key, value in parameters["custom_args"].items() if key != SESSION_OPTIONS}
