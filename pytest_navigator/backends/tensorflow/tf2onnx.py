"""ONNX of SavedModels, by tf2onnx."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_navigator.backends.tensorflow.names import names_in_file
from pytest_navigator.backends.tensorflow.runners import SIGNATURE, signature_name
from pytest_navigator.backends.tensorflow.tf2onnx_model import converted, converted_by_command
from pytest_navigator.configuration.foreign_options import SESSION_OPTIONS
from pytest_navigator.core.script_parts import MakingCode
from pytest_navigator.errors import StepFailed
from pytest_navigator.formats.exporting import exporter
from pytest_navigator.reproduce.code import call_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from pytest_navigator.core.plain import JSON, Parameters
    from pytest_navigator.core.records import Signature
    from pytest_navigator.core.script_parts import Subject
    from pytest_navigator.core.variants import Variant

COMMAND = "tf2onnx-command"  # The engine that is tf2onnx's command line
OPSETS = range(13, 19)  # What tf2onnx 1.17 writes and ONNX Runtime takes


def convert_savedmodel(
    parent: Path, example: Mapping[str, np.ndarray], signature: Signature, variant: Variant, path: Path
) -> dict[str, JSON]:
    """Convert a signature of a SavedModel; it needs no example.

    Raises:
        StepFailed: tf2onnx has not this opset, or no ONNX operator for one of TensorFlow's.
    """
    import onnx
    import tensorflow as tf

    if (opset := variant.parameters["opset"]) not in OPSETS:
        raise StepFailed(f"tf2onnx writes the opsets {OPSETS[0]} to {OPSETS[-1]}: {opset} is not possible")
    engine = variant.parameters.get("engine") or "tf2onnx"
    with exporter("tf2onnx") as lines, tempfile.TemporaryDirectory(dir=path.parent) as folder:
        loaded = tf.saved_model.load(str(parent))
        chosen = signature_name(list(loaded.signatures), variant.parameters)
        files = (str(parent), str(Path(folder, path.name)))
        converting = _converting(signature, variant.parameters, engine, chosen)
        onnx.save(converting(*(files if engine == COMMAND else (loaded,))), str(path))
    return {"engine": engine, "signature": chosen, "warnings": lines}


def savedmodel_script(subject: Subject) -> MakingCode:
    """Return the same as source text, by the way that was taken."""
    parameters = subject.variant.parameters
    chosen = subject.data.get("signature") or parameters["signature"] or SIGNATURE
    engine = subject.data.get("engine") or parameters.get("engine") or "tf2onnx"
    converting = _converting(subject.signature, parameters, engine, chosen)
    files = ("args.artifact", "args.output")
    call = call_of(converting, *(files if engine == COMMAND else ("tf.saved_model.load(args.artifact)",)))
    imports = ("import onnx", "import tensorflow as tf")
    return MakingCode(f"made = {call}\nonnx.save(made, args.output)", imports, functions=(converting.func,))


def _converting(signature: Signature, parameters: Parameters, engine: str, chosen: str) -> partial[Any]:
    inputs, outputs = names_in_file(signature)
    given = {"signature": chosen, "inputs": inputs, "outputs": outputs, "opset": parameters["opset"]}
    if engine == COMMAND:
        return partial(converted_by_command, **given)
    return partial(converted, **given, options=_options(parameters))


def _options(parameters: Parameters) -> dict[str, Any]:
    return {key: value for key, value in parameters["custom_args"].items() if key != SESSION_OPTIONS}
