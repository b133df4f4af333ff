"""Scripts that repeat a step with the upstream libraries only.

A format or a runner says how it is made, loaded and called as source text (`parts`); `scripts` makes a whole script of
it for one model, with its names, types and files as literals.
"""

from __future__ import annotations
