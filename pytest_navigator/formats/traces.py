"""Stack traces in artifacts: exporters write where in the source an operator comes from, with absolute paths."""

from __future__ import annotations

import re
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import FrameType

# Folders of code that is not the user's.
LIBRARIES = ("/site-packages/", "/dist-packages/", f"{sysconfig.get_path('stdlib')}/", f"{Path(__file__).parents[1]}/")

# The innermost site-packages folder is where a library's own names begin; of other files only the name is public.
PATTERNS = (
    re.compile(r'(?<=File ")(?:/[^"\n]*/site-packages/|/(?:[^"\n]*/)?)'),
    re.compile(r"(?<![\w.~/-])/(?:\S*/site-packages/|\S*/)(?=\S+\.py\b)"),
)


def without_folders(text: str) -> str:
    """Return a text with `model.py` and `torch/nn/modules/linear.py` where it has absolute paths of Python files."""
    for pattern in PATTERNS:
        text = pattern.sub("", text)
    return text


def public_name(file: str) -> str:
    """Return the path of a Python file without the folders of this machine: `torch/nn/modules/rnn.py`, `model.py`."""
    _, installed, name = file.rpartition("/site-packages/")
    return name if installed else Path(file).name


def is_users(file: str) -> bool:
    """Whether a Python file is the user's own: not installed, not Python's, not made up."""
    return not file.startswith("<") and not any(folder in file for folder in LIBRARIES)


def place_of(function: Any) -> str:
    """Return where a function of the user's begins, as "model.py:14"; "" for one of a library."""
    code = getattr(function, "__code__", None)
    return f"{public_name(code.co_filename)}:{code.co_firstlineno}" if code and is_users(code.co_filename) else ""


def users_place(frame: FrameType | None) -> str:
    """Return the innermost line of the user's own code that a frame was called from; "" if there is none."""
    while frame is not None:
        if is_users(frame.f_code.co_filename):
            return f"{public_name(frame.f_code.co_filename)}:{frame.f_lineno}"
        frame = frame.f_back
    return ""
