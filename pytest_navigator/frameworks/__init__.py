"""One module per framework of a live model."""

from __future__ import annotations
