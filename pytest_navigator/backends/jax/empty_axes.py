"""What JAX's programs say of a sample that is empty in a dynamic axis, and what to do (pure)."""

from __future__ import annotations

import re

# jax.export's own check, in StableHLO and in the SavedModels that hold it: no option of it lets a 0 pass.
REFUSED = re.compile(r"Expected value >= 1 for dimension variable '([^']+)'")

REMEDY = (
    "; what JAX exports takes sizes from 1 on in a dynamic axis, which {0} is, and this sample is empty there: "
    "let nav_dataloader give none that is, or leave the format out (--nav-formats chooses others)"
)


def empty_axis_hint(text: str) -> str:
    """Return what to say behind an error, "" where it is another one."""
    found = REFUSED.search(text)
    return REMEDY.format(found[1]) if found else ""
