"""Where in the user's model an operation comes from, in what torch's exporters write down (pure)."""

from __future__ import annotations

import re
from itertools import takewhile
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

Place: TypeAlias = tuple[str, str, str]
"""Module path ("layers.2.mlp"), operator ("gelu") and the user's line ("model.py:14"); "" for what is not known."""

FRAME = re.compile(r'File "([^"\n]+)", line (\d+)')
WRAPPER = "flat_module"  # In the name of the class that exports wrap a model in
OURS = re.compile(r"(^|/)flat\.py$")


def module_path(path: str, *, wrapped: bool) -> str:
    """Return the path of a module in the user's model, which an export has wrapped or not."""
    path = path.removeprefix("L['self'].")
    return path.removeprefix("model").removeprefix(".") if wrapped else path


def line_of(trace: str) -> str:
    """Return the innermost line of a stack trace that is the user's: "model.py:14".

    Of a model that is a library's, the innermost line of that: "transformers/models/bert/modeling_bert.py:250".
    """
    frames = [(name, number) for name, number in FRAME.findall(trace) if not OURS.search(name)]
    frames = [(name.rpartition("site-packages/")[2], number) for name, number in frames]
    own = [frame for frame in frames if "/" not in frame[0] or frame[0].startswith("/")]
    library = [frame for frame in frames if not frame[0].startswith("torch/")]
    name, number = (own or library or [("", "")])[-1]
    return f"{name.rpartition('/')[2] if name.startswith('/') else name}:{number}" if name else ""


def common_path(paths: Iterable[str]) -> str:
    """Return the path of the innermost module that paths of modules are all in, "" for the model itself."""
    parts = [path.split(".") for path in paths]
    # What the first and the last one share in this order, all do.
    shared = takewhile(lambda pair: pair[0] == pair[1], zip(min(parts), max(parts), strict=False))
    return ".".join(part for part, _ in shared)
