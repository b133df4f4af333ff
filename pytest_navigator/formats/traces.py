"""Stack traces in artifacts: exporters write where in the source an operator comes from, with absolute paths."""

from __future__ import annotations

import re
from pathlib import Path

# The innermost site-packages folder is where a library's own names begin; of other files only the name is public.
PATTERNS = (
    re.compile(r'(?<=File ")(?:[^"\n]*/site-packages/|[^"\n]*/)'),
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
