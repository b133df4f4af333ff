"""The distributions that are installed, each file of which is read once: every pytest run in this process looks at all.

That is a third of the time of a run that does nothing else.
"""

from __future__ import annotations

import sys
from functools import cache, cached_property
from importlib.metadata import Distribution, PathDistribution, distributions


class Kept(PathDistribution):
    """One that keeps what it has read."""

    metadata = cached_property(Distribution.metadata.fget)
    entry_points = cached_property(Distribution.entry_points.fget)
    files = cached_property(Distribution.files.fget)


def kept() -> list[Distribution]:
    """Return what `importlib.metadata.distributions()` does, where Python looks for modules now."""
    return _kept(tuple(sys.path))


@cache
def _kept(_paths: tuple[str, ...]) -> list[Distribution]:
    return [Kept(found._path) if type(found) is PathDistribution else found for found in distributions()]
