"""What ONNX Runtime says when it cannot load a file, as one line that says what to do (pure)."""

from __future__ import annotations

import re

CUSTOM_OPS = "register_custom_ops_library"
"""The method of SessionOptions that takes the path of a library."""

CAUSES = (
    (
        r"Opset (\d+) is under development.* till opset (\d+)",
        "the file has opset {0}, this version takes none above {1}: write it with a lower one, or update onnxruntime",
    ),
    (
        r"Unsupported model IR version: (\d+), max supported IR version: (\d+)",
        "the file has IR version {0}, this version takes none above {1}: write it with a lower one (onnx.save after "
        "model.ir_version = {1}), or update onnxruntime",
    ),
    (
        r"Could not find an implementation for (\w+)\((\d+)\) node",
        "it does not implement the operator {0} in the version of opset {1} for these types: write the file with "
        "other types (float32, where the model has bfloat16) or a lower opset, or update onnxruntime",
    ),
    (
        r"(?:Fatal error: )?([\w.]+):(\w+)\(-?\d+\) is not a registered function/op",
        "nobody has registered the operator {1} of {0!r}; name the library that does: nav_config = NavConfig(formats="
        f"[OnnxConfig(custom_args={{{{'session_options': {{{{{CUSTOM_OPS!r}: '/path/of/library.so'}}}}}}}})])",
    ),
)
"""What it says -> what that means."""

NOISE = (
    r"^\[ONNXRuntimeError\] : \d+ : \w+ : ",
    r"^Load model from .*? failed:",
    r"^\S*onnxruntime_src\S* ",
    r"^[\w:<>,&*\s]*::[\w:<>,&*\s]*\([^)]*\)(?: const)? ",
)
"""What stands in front of the reason: an error code, our own path, a line and a function of its source."""


def cause(text: str) -> str:
    """Return the reason in an error of ONNX Runtime."""
    line = " ".join(text.split())
    for pattern, meaning in CAUSES:
        if found := re.search(pattern, line):
            return meaning.format(*found.groups())
    for pattern in NOISE:
        line = re.sub(pattern, "", line)
    return line
