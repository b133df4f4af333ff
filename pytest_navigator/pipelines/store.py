"""Where the formats of modules are kept: by the fingerprint of weights and code, never by name alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_navigator.pipelines.choice import Choice


@dataclass(frozen=True)
class Store:
    """A folder with a folder for each fingerprint, in which are a `.nav` file for each graph and `choices.json`."""

    root: Path

    def put(self, choices: list[Choice], packages: dict[str, Path]) -> None:
        """Keep what became of a module's graphs; whole or not at all.

        Args:
            packages: name of a graph -> its `.nav` file, which is moved here.
        """
        raise NotImplementedError

    def choices(self, fingerprint: str) -> list[Choice]:
        """Return what is known of a module with this fingerprint; empty for none."""
        raise NotImplementedError

    def package(self, choice: Choice) -> Path:
        """Return the `.nav` file of a choice."""
        raise NotImplementedError
