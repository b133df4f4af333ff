"""ONNX of SavedModels, by tf2onnx."""

from __future__ import annotations

import tempfile
from pathlib import Path
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

    import numpy as np

    from pytest_navigator.records import JSON
    from pytest_navigator.records import Signature
    from pytest_navigator.records import Variant
    from pytest_navigator.reproduce.parts import MakingCode
    from pytest_navigator.reproduce.parts import Subject

COMMAND = "tf2onnx-command"
"""The engine that is tf2onnx's command line."""

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

    from pytest_navigator.formats.tf2onnx_model import converted
    from pytest_navigator.formats.tf2onnx_model import converted_by_command

    opset = variant.parameters["opset"]
    if opset not in OPSETS:
        raise StepFailed(f"tf2onnx writes the opsets {OPSETS[0]} to {OPSETS[-1]}: {opset} is not possible")
    inputs, outputs = text.names_in_file(signature)
    engine = variant.parameters.get("engine") or "tf2onnx"
    with exporter("tf2onnx") as lines, tempfile.TemporaryDirectory(dir=path.parent) as folder:
        loaded = tf.saved_model.load(str(parent))
        chosen = signature_name(list(loaded.signatures), variant.parameters)
        if engine == COMMAND:
            made = converted_by_command(str(parent), chosen, inputs, outputs, opset, str(Path(folder, path.name)))
        else:
            made = converted(loaded, chosen, inputs, outputs, opset, _options(variant.parameters))
        onnx.save(made, str(path))
    return {"engine": engine, "signature": chosen, "warnings": lines}


def savedmodel_script(subject: Subject) -> MakingCode:
    """Return the same as source text, by the way that was taken."""
    return text.conversion_code(
        subject,
        subject.data.get("signature") or subject.variant.parameters["signature"] or SIGNATURE,
        _options(subject.variant.parameters),
        command=(subject.data.get("engine") or subject.variant.parameters.get("engine")) == COMMAND,
    )


def _options(parameters: Mapping[str, JSON]) -> dict[str, Any]:
    return {key: value for key, value in parameters["custom_args"].items() if key != SESSION_OPTIONS}
