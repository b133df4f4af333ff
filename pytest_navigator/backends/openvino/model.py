"""What is asked of OpenVINO.

Scripts contain the source text of this, so nothing here may use anything but numpy, ml_dtypes and OpenVINO.
"""

from __future__ import annotations

from typing import Any

# OpenVINO's types that numpy has only through ml_dtypes: it gives their bits as another type.
FOREIGN = {"bf16": "bfloat16", "f8e4m3": "float8_e4m3fn", "f8e5m2": "float8_e5m2"}


def write_model(source: str, target: str, options: dict[str, Any], *, half: bool) -> None:
    """Convert a file of another format to a folder with model.xml and model.bin, half: with float16 weights."""
    import openvino

    # Without options the reader is enough, and convert_model, which it is behind, tells a server of each call.
    model = openvino.convert_model(source, **options) if options else openvino.Core().read_model(source)
    openvino.save_model(model, f"{target}/model.xml", compress_to_fp16=half)


def read_model(folder: str, **options: Any) -> Any:
    """Return the model, compiled for the CPU; options are OpenVINO's properties."""
    import openvino

    # Without the hint, processors with bfloat16 or float16 compute in these.
    return openvino.Core().compile_model(f"{folder}/model.xml", "CPU", {"INFERENCE_PRECISION_HINT": "f32", **options})


def copies_of(outputs: Any) -> list[Any]:
    """Copy the outputs of an inference, whose memory is OpenVINO's until the next one."""
    import ml_dtypes

    copies = []
    for port, array in outputs.items():
        foreign = FOREIGN.get(port.get_element_type().get_type_name())
        copies.append(array.copy() if foreign is None else array.view(getattr(ml_dtypes, foreign)).copy())
    return copies
