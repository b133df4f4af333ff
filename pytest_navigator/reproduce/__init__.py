"""Scripts that repeat a step with the upstream libraries only."""

from __future__ import annotations
