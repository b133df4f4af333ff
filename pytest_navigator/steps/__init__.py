"""What a step does: one module per kind of step."""

from __future__ import annotations
