"""The `.nav` package: schema, writing, reading."""

from __future__ import annotations
