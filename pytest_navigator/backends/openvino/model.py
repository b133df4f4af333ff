"""What is asked of OpenVINO.

Scripts contain the source text of this, so nothing here may use anything but numpy, ml_dtypes and OpenVINO.
"""

from __future__ import annotations

from typing import Any

# OpenVINO's types that numpy has only through ml_dtypes: it gives their bits as another type.
FOREIGN = {"bf16": "bfloat16", "f8e4m3": "float8_e4m3fn", "f8e5m2": "float8_e5m2"}

# Layers of a compiled model that compute nothing.
MOVING = ("Const", "Convert", "Input", "Output", "Reorder", "Reshape")


def untold(module: str) -> Any:
    """Import OpenVINO or nncf, neither of which tells Intel then of being imported, of conversions and of models.

    nncf makes all loggers of the process, whosever they are, ones of its own class: that is undone.
    """
    import importlib
    import logging
    import sys

    # Both look for it when they are imported, and do without where it is not installed.
    name, loggers = "openvino_telemetry", logging.getLoggerClass()
    known, sys.modules[name] = sys.modules.get(name), None  # type: ignore[assignment]
    try:
        return importlib.import_module(module)
    finally:
        logging.setLoggerClass(loggers)
        del sys.modules[name]
        if known is not None:
            sys.modules[name] = known


def write_model(source: str, target: str, options: dict[str, Any], *, half: bool) -> None:
    """Write a folder with model.xml and model.bin, half: with float16 weights; source and options as `model_of`."""
    untold("openvino").save_model(model_of(source, options), f"{target}/model.xml", compress_to_fp16=half)


def model_of(source: str, options: dict[str, Any]) -> Any:
    """Return an ONNX file, or the folder of an IR, as an `openvino.Model`; options are those of convert_model."""
    from pathlib import Path

    openvino, path = untold("openvino"), Path(source)
    file = path / "model.xml" if path.is_dir() else path
    # Without options the reader is enough.
    return openvino.convert_model(file, **options) if options else openvino.Core().read_model(file)


def read_model(folder: str, **options: Any) -> Any:
    """Return the model, compiled for the CPU; options are OpenVINO's properties."""
    openvino = untold("openvino")
    # Without the hints, processors with bfloat16 or float16 compute in these, and in int8 where weights are in that.
    hints = {"INFERENCE_PRECISION_HINT": "f32", "EXECUTION_MODE_HINT": "ACCURACY"}
    return openvino.Core().compile_model(f"{folder}/model.xml", "CPU", {**hints, **options})


def copies_of(outputs: Any) -> list[Any]:
    """Copy the outputs of an inference, whose memory is OpenVINO's until the next one."""
    import ml_dtypes

    copies = []
    for port, array in outputs.items():
        foreign = FOREIGN.get(port.get_element_type().get_type_name())
        copies.append(array.copy() if foreign is None else array.view(getattr(ml_dtypes, foreign)).copy())
    return copies


def parts_of(arrays: list[Any], batched: list[bool], axis: int | None, most: int) -> list[list[Any]]:
    """Cut the rows of a batch into parts of about one size, not more than `most`; axis None: what cannot be cut."""
    import numpy as np

    if axis is None:
        return [arrays]
    count = max(1, min(most, *(array.shape[axis] for array, cut in zip(arrays, batched) if cut)))  # noqa: B905
    cut = [
        [np.ascontiguousarray(part) for part in np.array_split(array, count, axis)] if own else [array] * count
        for array, own in zip(arrays, batched)  # noqa: B905
    ]
    return [list(part) for part in zip(*cut)]  # noqa: B905


def at_once(requests: list[Any], parts: list[list[Any]]) -> list[Any]:
    """Start an inference of each part, and wait for all; returns the requests that have run."""
    running = requests[: len(parts)]
    for request, part in zip(running, parts):  # noqa: B905
        request.start_async(part, share_inputs=True)
    for request in running:
        request.wait()
    return running


def joined(requests: list[Any], axis: int | None) -> list[Any]:
    """Return the outputs of the parts of a batch as those of the whole."""
    import numpy as np

    found = [copies_of(request.results) for request in requests]
    return found[0] if len(found) == 1 else [np.concatenate(rows, axis) for rows in zip(*found)]  # noqa: B905


def capabilities() -> list[str]:
    """Return what the CPU can do, in OpenVINO's words: "FP32", "BF16", "INT8"."""
    return list(untold("openvino").Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"))


def executed(model: Any) -> dict[str, int]:
    """Return in which type how many layers of a compiled model compute, whatever was asked for."""
    found: dict[str, int] = {}
    for layer in model.get_runtime_model().get_ops():
        info = layer.get_rt_info()
        if info["layerType"].astype(str) not in MOVING:
            kind = info["runtimePrecision"].astype(str)
            found[kind] = found.get(kind, 0) + 1
    return dict(sorted(found.items(), key=lambda pair: -pair[1]))
