"""ONNX files of JAX models: by jax2onnx, or through a SavedModel where JAX still writes one that tf2onnx can read."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

from pytest_navigator.errors import Unavailable
from pytest_navigator.formats import jax2tf
from pytest_navigator.formats.exporting import exporter
from pytest_navigator.formats.jax_flat import abstract_inputs
from pytest_navigator.formats.jax_flat import closed_function
from pytest_navigator.formats.jax_flat import narrowed
from pytest_navigator.formats.onnx_names import name_outputs
from pytest_navigator.formats.tf2onnx import savedmodel_script
from pytest_navigator.formats.ways import Way
from pytest_navigator.formats.ways import Ways
from pytest_navigator.planning.requirements import missing
from pytest_navigator.reproduce import jax as text
from pytest_navigator.runners.onnx import SESSION_OPTIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from pytest_navigator.frameworks.base import Source
    from pytest_navigator.records import JSON
    from pytest_navigator.records import Signature
    from pytest_navigator.records import Variant
    from pytest_navigator.reproduce.parts import MakingCode
    from pytest_navigator.reproduce.parts import Subject

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


def _engine(parameters: Mapping[str, JSON]) -> str:
    return str(parameters.get("engine") or ways().tried[0].engine)


def export_script(subject: Subject) -> MakingCode:
    """Return the export by the way that was taken, before the export by the one that will be."""
    engine = subject.data.get("engine") or _engine(subject.variant.parameters)
    if engine == JAX2ONNX.engine:
        return text.onnx(subject, _options(subject.signature, subject.variant.parameters))
    shapes = [None, *jax2tf.polymorphic_shapes(subject.signature)]
    return text.onnx_through_savedmodel(
        text.savedmodel(subject, shapes, jax2tf.NO_XLA, None), savedmodel_script(subject)
    )


def _direct(source: Source, signature: Signature, variant: Variant, path: Path) -> dict[str, JSON]:
    with exporter("jax2onnx") as lines:
        import onnx
        from jax2onnx import to_onnx

        options = _options(signature, variant.parameters)
        model = to_onnx(closed_function(source, signature), abstract_inputs(signature), **options)
        name_outputs(model, [spec.name for spec in signature.outputs])
        _cast_inputs(model, signature)
        onnx.save(model, path)
    return {"engine": "jax2onnx", "route": DIRECT, "warnings": lines}


def _through_savedmodel(
    source: Source, example: Mapping[str, np.ndarray], signature: Signature, variant: Variant, path: Path
) -> dict[str, JSON]:
    from pytest_navigator.formats.tf2onnx import convert_savedmodel

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


def _options(signature: Signature, parameters: Mapping[str, JSON]) -> dict[str, Any]:
    # The names of the outputs are given later: jax2onnx has no second name for a value.
    names = {"input_names": [spec.name for spec in signature.inputs]}
    own = {key: value for key, value in parameters["custom_args"].items() if key != SESSION_OPTIONS}
    double = {"enable_double_precision": True} if _double(signature) else {}
    return {"opset": parameters["opset"], **names, **double, **own}


def _double(signature: Signature) -> bool:
    """Whether an input or output is computed in a 64-bit type."""
    return any(str(narrowed(s.dtype)) in ("float64", "complex128") for s in (*signature.inputs, *signature.outputs))


def _cast_inputs(model: Any, signature: Signature) -> None:
    """Let the file take the types of the samples where JAX makes 32-bit types of them."""
    import numpy as np
    import onnx

    values = {value.name: value for value in model.graph.input}
    for spec in signature.inputs:
        if spec.name not in values or str(narrowed(spec.dtype)) == spec.dtype:
            continue
        kind, inner = values[spec.name].type.tensor_type, f"{spec.name}__narrowed"
        for node in model.graph.node:
            node.input[:] = [inner if name == spec.name else name for name in node.input]
        model.graph.node.insert(0, onnx.helper.make_node("Cast", [spec.name], [inner], to=kind.elem_type))
        kind.elem_type = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(spec.dtype))
