"""ONNX files of JAX models: by jax2onnx, or through a SavedModel where JAX still writes one that tf2onnx can read."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_navigator.backends.jax import jax2tf
from pytest_navigator.backends.jax.exports import narrowed, write_onnx
from pytest_navigator.backends.jax.flat import described, export_code, flat_function
from pytest_navigator.backends.tensorflow.tf2onnx import savedmodel_script
from pytest_navigator.configuration.foreign_options import SESSION_OPTIONS
from pytest_navigator.core.script_parts import MakingCode
from pytest_navigator.devices.requirements import missing
from pytest_navigator.errors import Unavailable
from pytest_navigator.formats.exporting import exporter
from pytest_navigator.formats.ways import Way, Ways

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from pytest_navigator.core.plain import JSON, Parameters
    from pytest_navigator.core.records import Signature
    from pytest_navigator.core.script_parts import Subject
    from pytest_navigator.core.variants import Variant
    from pytest_navigator.frameworks.base import Source

DIRECT = "jax2onnx, which is installed and reads what JAX itself traces"
THROUGH_SAVEDMODEL = "tf2onnx from a SavedModel of TensorFlow's own operators"
JAX2ONNX, TF2ONNX = Way("jax2onnx"), Way("tf2onnx")


def export_onnx(
    source: Source, example: Mapping[str, np.ndarray], signature: Signature, variant: Variant, path: Path
) -> dict[str, JSON]:
    """Write a live JAX model as ONNX; `route` in the result says by which way, and why.

    Raises:
        Unavailable: jax2onnx is not installed, and the SavedModels of this JAX are none that tf2onnx can read.
        StepFailed: the converter cannot convert the model.
    """
    if _engine(variant.parameters) == JAX2ONNX.engine:
        return _direct(source, signature, variant, path)
    return _through_savedmodel(source, example, signature, variant, path)


def ways() -> Ways:
    """Return both ways, or only the one through a SavedModel where jax2onnx is not installed."""
    return Ways((TF2ONNX,)) if missing(("jax2onnx",)) else Ways((JAX2ONNX, TF2ONNX))


def _engine(parameters: Parameters) -> str:
    return str(parameters.get("engine") or ways().tried[0].engine)


def export_script(subject: Subject) -> MakingCode:
    """Return the export by the way that was taken, before the export by the one that will be."""
    engine = subject.data.get("engine") or _engine(subject.variant.parameters)
    if engine == JAX2ONNX.engine:
        return export_code(subject, _writing(subject.signature, subject.variant.parameters))
    savedmodel = export_code(subject, jax2tf.writing(subject.signature, jax2tf.NO_XLA, None))
    return _both(savedmodel, savedmodel_script(subject))


def _direct(source: Source, signature: Signature, variant: Variant, path: Path) -> dict[str, JSON]:
    with exporter("jax2onnx") as lines:
        flat, parameters = flat_function(source, signature)
        _writing(signature, variant.parameters)(flat, parameters, str(path))
    return {"engine": "jax2onnx", "route": DIRECT, "warnings": lines}


def _through_savedmodel(
    source: Source, example: Mapping[str, np.ndarray], signature: Signature, variant: Variant, path: Path
) -> dict[str, JSON]:
    from pytest_navigator.backends.tensorflow.tf2onnx import convert_savedmodel

    lacks = missing(("jax2onnx",))
    if lacking := missing(("tensorflow", "tf2onnx")) or _unreadable():
        raise Unavailable(f"{lacks}; the other way is through a SavedModel, but {lacking}" if lacks else lacking)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        made = Path(folder, "model.savedmodel")
        jax2tf.write(source, signature, made, jax2tf.NO_XLA, None)
        data = convert_savedmodel(made, example, signature, variant, path)
    why = "because jax2onnx is not installed" if lacks else "because jax2onnx did not make it"
    return {**data, "engine": "tf2onnx", "route": f"{THROUGH_SAVEDMODEL}, {why}"}


def _unreadable() -> str | None:
    """Return why tf2onnx cannot read this JAX's SavedModels, None if it can."""
    import jax

    if not jax2tf.ignores_enable_xla():
        return None
    return f"JAX {jax.__version__} writes a program of XLA into it instead of operators, which tf2onnx cannot read"


def _writing(signature: Signature, parameters: Parameters) -> partial[None]:
    inputs = described(signature, [spec.name for spec in signature.inputs])
    outputs = [spec.name for spec in signature.outputs]
    return partial(write_onnx, inputs=inputs, outputs=outputs, options=_options(signature, parameters))


def _options(signature: Signature, parameters: Parameters) -> dict[str, Any]:
    # The names of the outputs are given later: jax2onnx has no second name for a value.
    names = {"input_names": [spec.name for spec in signature.inputs]}
    own = {key: value for key, value in parameters["custom_args"].items() if key != SESSION_OPTIONS}
    double = {"enable_double_precision": True} if _double(signature) else {}
    return {"opset": parameters["opset"], **names, **double, **own}


def _double(signature: Signature) -> bool:
    """Whether an input or output is computed in a 64-bit type."""
    return any(str(narrowed(s.dtype)) in ("float64", "complex128") for s in (*signature.inputs, *signature.outputs))


def _both(export: MakingCode, conversion: MakingCode) -> MakingCode:
    """Return an export by jax2tf to a SavedModel of its own, and the conversion of that by tf2onnx."""
    made = 'saved = os.path.join(tempfile.mkdtemp(), "model.savedmodel")'
    written = replace(export, body=export.body.replace("args.output", "saved"))
    read = replace(conversion, body=conversion.body.replace("args.artifact", "saved"))
    return MakingCode(made, ("import os", "import tempfile")).then(written).then(read)
