"""In which ways a pipeline can run: with each format that its modules have, in each runner (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

Cell = tuple[str, str]
"""A format and Model Navigator's name of a runner: ("onnx", "OnnxCPU")."""


class Wanted(NamedTuple):
    """Which formats, runners and device there are to be; None: all."""

    formats: tuple[str, ...] | None = None
    runners: tuple[str, ...] | None = None
    device: str | None = None

    def takes(self, cell: Cell, device: str) -> bool:
        """Whether a runner of a format is one of them."""
        key, runner = cell
        asked = ((self.formats, key), (self.runners, runner), (self.device and (self.device,), device))
        return all(among is None or value in among for among, value in asked)


def cells_of_all(cells: Iterable[Iterable[Cell]]) -> list[Cell]:
    """Return every cell that some graph has, those first that the first graph has."""
    return list(dict.fromkeys(cell for each in cells for cell in each))
