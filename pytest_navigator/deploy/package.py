"""What is asked of an open package by what serves its runners."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

from pytest_navigator.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_navigator.package.query.results import Results
    from pytest_navigator.package.query.strategies import Strategy
    from pytest_navigator.package.running.runner import PackageRunner


class Served(Protocol):
    """What is asked of a package."""

    results: Results

    @property
    def has_source(self) -> bool:
        """Whether it was given its live model."""

    def get_runner(
        self,
        format: str | None = None,
        *,
        runtime: str | None = None,
        strategies: Strategy | Sequence[Strategy] | None = None,
        include_source: bool = True,
        verified_only: bool = False,
        threads: int | None = None,
    ) -> PackageRunner:
        """Return a runner, not active yet."""


def check_open(package: object) -> None:
    """Raise ConfigError for the path of a package where an open one is needed."""
    if isinstance(package, (str, os.PathLike)):
        path = os.fspath(package)
        raise ConfigError(f"package={path!r}: an open package is needed: nav.load({path!r})")
