"""What tells an ONNX file from other protobuf messages, without its library."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.backends.onnx.protobuf import Truncated, fields
from pytest_navigator.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

# Fields of ONNX's ModelProto and how each is encoded (0: a number, 2: anything with a length).
ONNX_FIELDS = {1: 0, 2: 2, 3: 2, 4: 2, 5: 0, 6: 2, 7: 2, 8: 2, 14: 2, 20: 2, 25: 2, 26: 2}
ONNX_GRAPH = 7


def is_onnx(path: Path) -> bool:
    """Walk over the outermost fields: weights are skipped, so that size does not matter.

    Raises:
        ConfigError: it was cut off.
    """
    seen = set()
    try:
        for field in fields(path):
            if ONNX_FIELDS.get(field.number) != field.kind:
                return False
            seen.add(field.number)
    except Truncated:
        if seen or path.suffix.lower() == ".onnx":
            raise ConfigError(f"{path} is not a complete ONNX file: it was cut off, or is something else") from None
        return False
    return ONNX_GRAPH in seen
