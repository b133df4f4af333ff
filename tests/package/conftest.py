from __future__ import annotations

from tests.package.recorded import workspace

__all__ = ["workspace"]
