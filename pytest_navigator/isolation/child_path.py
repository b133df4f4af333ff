"""The `sys.path` of a child of this process."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def search_path(first: Sequence[str]) -> list[str]:
    """Return `first` and `sys.path`, each entry once and the same in every working directory."""
    # What is no path belongs to a path hook, of an editable installation for example.
    every = (os.path.abspath(one) if not one or os.path.exists(one) else one for one in (*first, *sys.path))
    return list(dict.fromkeys(every))
