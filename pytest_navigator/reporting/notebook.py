"""A package as a notebook shows it: its matrix, as HTML without style, script and template (pure)."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from pytest_navigator.reporting.report import HEADINGS, matrix, notes, title
from pytest_navigator.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_navigator.package.query.results import Results

ALIGNED = ' style="text-align: left"'  # Notebooks put numbers and texts of tables to the right


def table(name: str, results: Results) -> str:
    """Return the HTML of a package; what it says of itself is text there.

    Args:
        name: of its file.
    """
    head = _row("th", HEADINGS)
    rows = "".join(_row("td", row) for row in matrix(results))
    said = "".join(f"<li>{_text(line)}</li>" for line in notes(results))
    caption = f"<caption>{_text(name)}: {_text(title(results))}</caption>"
    below = f"<ul>{said}</ul>" if said else ""
    return f"<table>{caption}<thead>{head}</thead><tbody>{rows}</tbody></table>{below}"


def _row(tag: str, cells: Iterable[str]) -> str:
    return f"<tr>{''.join(f'<{tag}{ALIGNED}>{_text(cell)}</{tag}>' for cell in cells)}</tr>"


def _text(text: str) -> str:
    return escape(one_line(text))
