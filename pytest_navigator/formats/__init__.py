"""One module per format."""

from __future__ import annotations
