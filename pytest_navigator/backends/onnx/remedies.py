"""What would let ONNX Runtime load a file that it refuses: said only of what has been tried and loads."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Load = Callable[[bytes], object]

LARGEST = 16 * 2**20  # Bytes of a file that is written anew and loaded a few times to see what helps
OLDEST_OPSET = 7  # The first one of which ONNX Runtime promises anything

# What another version of the file may help against.
VERSIONS = r"Unsupported model IR version|under development|Could not find an implementation"

IR_VERSION = r"max supported IR version: (\d+)"


def remedy(path: Path, error: str, load: Load) -> str:
    """Return what to do about a file that cannot be loaded, and what else stands in the way; "" if nothing is known.

    Args:
        error: what ONNX Runtime said.
        load: loads a serialized model; raises where it cannot.
    """
    if not re.search(VERSIONS, error) or path.stat().st_size > LARGEST:
        return ""
    with suppress(Exception):  # the file is not one that onnx reads: nobody knows what helps
        return _found(path, error, load)
    return ""


def _found(path: Path, error: str, load: Load) -> str:
    import onnx

    from pytest_navigator.backends.onnx.errors import cause

    model = onnx.load(str(path))
    needed = []
    if found := re.search(IR_VERSION, error):
        model.ir_version = int(found[1])
        needed.append(f"model.ir_version = {found[1]}")
        if not (error := _error(model, load)):
            return f"it loads when it is saved with {needed[0]} (onnx.save)"
    for opset in _opsets(model):
        if not _error(_converted(model, opset), load):
            steps = [f"model = onnx.version_converter.convert_version(model, {opset})", *needed]
            return f"it loads with opset {opset} ({'; '.join(steps)}; onnx.save)"
    return f"with {needed[0]}: {cause(error)}" if needed else ""


def _opsets(model: Any) -> Iterator[int]:
    """Yield the other opsets, the nearest ones first."""
    import onnx

    own = next((int(entry.version) for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 0)
    every = range(OLDEST_OPSET, int(onnx.defs.onnx_opset_version()) + 1) if own else ()
    yield from sorted((opset for opset in every if opset != own), key=lambda opset: abs(opset - own))


def _converted(model: Any, opset: int) -> Any:
    """Return the model in another opset with the same IR version; None where that cannot be."""
    import onnx

    try:
        made = onnx.version_converter.convert_version(model, opset)
    except Exception:
        return None
    made.ir_version = model.ir_version
    return made


def _error(model: Any, load: Load) -> str:
    """Return why a model cannot be loaded, "" if it can."""
    if model is None:
        return "it cannot be written in this opset"
    try:
        load(model.SerializeToString())
    except Exception as error:
        return str(error)
    return ""
