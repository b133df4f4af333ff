"""Models that are files: what they hold, what is said beside them, and random data that fits them."""

from __future__ import annotations
