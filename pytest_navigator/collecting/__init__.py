"""Where models are, which tests they get, and the user's live objects behind them."""

from __future__ import annotations
