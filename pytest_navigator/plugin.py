"""The hooks, in the order in which pytest calls them."""

from __future__ import annotations
