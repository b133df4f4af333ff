from __future__ import annotations

from recorded import workspace

__all__ = ["workspace"]
