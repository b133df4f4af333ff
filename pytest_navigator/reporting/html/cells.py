"""Words of a table -> the sign before each, and what colours it: never the colour alone (pure)."""

from __future__ import annotations

from dataclasses import dataclass

SIGNS = {
    "ok": ("✓", "good"),
    "yes": ("✓", "good"),
    "cached": ("✓", "good"),
    "reused": ("✓", "good"),
    "FAILED": ("✗", "bad"),
    "no": ("✗", "bad"),
    "xfailed": ("✗", "known"),
    "skipped": ("–", "off"),
    "not run": ("–", "off"),
}


@dataclass(frozen=True)
class Cell:
    """A cell of a table; `kind` is the class of its element."""

    text: str
    sign: str = ""
    kind: str = ""


def cell(text: str) -> Cell:
    """Return a text as a cell."""
    return Cell(text, *SIGNS.get(text, ("", "")))


def cells(row: tuple[str, ...]) -> tuple[Cell, ...]:
    """Return a row; its first cell is its name, and has no sign."""
    return (Cell(row[0]), *map(cell, row[1:]))
