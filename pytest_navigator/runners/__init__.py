"""One module per runtime family."""

from __future__ import annotations
