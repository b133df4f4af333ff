"""What ONNX Runtime says when it cannot load a file, as one line that says what to do (pure)."""

from __future__ import annotations

import re

CUSTOM_OPS = "register_custom_ops_library"  # The method of SessionOptions that takes the path of a library

# Domains whose operators nobody can register: ONNX Runtime has them or has not.
STANDARD = re.compile(r"(ai\.onnx|com\.microsoft)\b|$")

# What it says -> what that means.
CAUSES = (
    (
        r"Opset (\d+) is under development.* till opset (\d+)",
        "the file has opset {0}, this version takes none above {1}",
    ),
    (
        r"Unsupported model IR version: (\d+), max supported IR version: (\d+)",
        "the file has IR version {0}, this version takes none above {1}",
    ),
    (
        r"Could not find an implementation for (\w+)\((\d+)\) node",
        "it does not implement the operator {0} in the version of opset {1} for these types",
    ),
)

UNKNOWN = r"(?:Fatal error: )?([\w.]*):(\w+)\(-?\d+\) is not a registered function/op"

# What stands in front of the reason: an error code, our own path, a line and a function of its source.
NOISE = (
    r"^\[ONNXRuntimeError\] : \d+ : \w+ : ",
    r"^Load model from .*? failed:",
    r"^\S*onnxruntime_src\S* ",
    r"^[\w:<>,&*\s]*::[\w:<>,&*\s]*\([^)]*\)(?: const)? ",
)


def cause(text: str) -> str:
    """Return the reason in an error of ONNX Runtime."""
    line = " ".join(text.split())
    if found := re.search(UNKNOWN, line):
        return _unknown(*found.groups())
    for pattern, meaning in CAUSES:
        if found := re.search(pattern, line):
            return meaning.format(*found.groups())
    for pattern in NOISE:
        line = re.sub(pattern, "", line)
    return line


def _unknown(domain: str, operator: str) -> str:
    """Say that there is no such operator, and what registers it where something can."""
    if STANDARD.match(domain):
        return f"this version has no operator {operator}{f' of {domain!r}' if domain else ''}"
    options = f"{{'session_options': {{{CUSTOM_OPS!r}: '/path/of/library.so'}}}}"
    return (
        f"nobody has registered the operator {operator} of {domain!r}; name the library that does: nav_config = "
        f"NavConfig(formats=[OnnxConfig(custom_args={options})])"
    )
