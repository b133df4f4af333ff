"""Which runners of packages somebody asks for, by the names that people write."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pytest_navigator.core.variants import covers
from pytest_navigator.errors import unknown
from pytest_navigator.package.query.choice import runs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_navigator.package.query.choice import Cell
    from pytest_navigator.package.query.results import Results


class Asked(NamedTuple):
    """Formats, runtimes (or runners) and a device that are asked for; None: any."""

    formats: Sequence[str] | None = None
    runtimes: Sequence[str] | None = None
    device: str | None = None

    def takes(self, results: Results, cell: Cell) -> bool:
        """Whether a runner of a package is one of them."""
        variant, record = results.variant(cell[0]), results.suite.runners[cell[1]]
        return (
            (self.formats is None or any(covers(name, variant) for name in self.formats))
            and (self.runtimes is None or any(runs(name, record) for name in self.runtimes))
            and self.device in (None, record.device)
        )

    def check(self, packages: Sequence[Results]) -> None:
        """Raise ConfigError for a name that means nothing in any of some packages."""
        variants = [variant for each in packages for variant in each.suite.variants]
        records = [record for each in packages for record in each.suite.runners.values()]
        for name in self.formats or ():
            if not any(covers(name, variant) for variant in variants):
                raise unknown("format", name, {name for variant in variants for name in (variant.key, variant.format)})
        for name in self.runtimes or ():
            if not any(runs(name, record) for record in records):
                raise unknown("runner", name, {name for record in records for name in (record.name, record.runtime)})
