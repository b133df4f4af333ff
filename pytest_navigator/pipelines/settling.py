"""Which modules keep their formats where the whole pipeline is not right with all of them (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    Check = Callable[[Collection[str]], str]
    """Why the pipeline is not right with the formats of these modules; "" if it is."""


def settled(names: Sequence[str], check: Check) -> dict[str, str]:
    """Return the modules that go back to eager, each with the reason.

    Each that is wrong alone goes; then, as long as the others together are wrong, the last one.

    Args:
        names: of the modules that have formats, the one that gains most first.
        check: runs the pipeline.
    """
    problem = check(names) if names else ""
    if not problem:
        return {}
    if len(names) == 1:
        return {names[0]: problem}
    back = {name: alone for name in names if (alone := check([name]))}
    left = [name for name in names if name not in back]
    problem = check(left) if back and left else problem if left else ""
    while problem:
        back[left.pop()] = f"right alone, and not together with the other formats: {problem}"
        problem = check(left) if left else ""
    return back
