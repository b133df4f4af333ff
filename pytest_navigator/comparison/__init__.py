"""Whether two runs give the same numbers: distances, rules, verdicts."""

from __future__ import annotations
