"""What is already imported, by name: what data names is looked up here, and never imported."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


def loaded(path: str) -> Any:
    """Return what is called "module:Qual.Name" in this process, None if there is nothing of that name.

    Names are read where they are stored: to ask a module or a class for an attribute can import what it has not yet.
    """
    where, _, name = path.partition(":")
    found: Any = sys.modules.get(where)
    for part in name.split("."):
        found = vars(found).get(part) if isinstance(found, ModuleType | type) else None
    return found
