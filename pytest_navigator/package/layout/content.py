"""The content of a status.yaml, as it stands there."""

from __future__ import annotations

from typing import Any, TypeAlias

Content: TypeAlias = dict[str, Any]
"""Names and values: the schemas beside this say what must be of which type, and whatever else is there stays."""
