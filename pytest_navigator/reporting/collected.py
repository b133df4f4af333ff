"""What is said once the tests have been collected."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.core.kinds import TITLES

if TYPE_CHECKING:
    from collections.abc import Mapping


def elsewhere(counts: Mapping[str, int]) -> list[str]:
    """Return a line for each kind of device that is not here: how many steps were left out, and how to see them."""
    needed = {kind: f"{steps(count)} {'needs' if count == 1 else 'need'}" for kind, count in counts.items()}
    return [f"not here: {n} {TITLES.get(kind, kind)} (--nav-device=all lists them)" for kind, n in needed.items()]


def steps(count: int) -> str:
    """Return how many steps, in words."""
    return f"{count} {'step' if count == 1 else 'steps'}"
