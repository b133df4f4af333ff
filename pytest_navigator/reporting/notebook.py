"""Results as a notebook shows them: a table, as HTML without style, script and template (pure)."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from pytest_navigator.reporting.report import HEADINGS, matrix, notes, title
from pytest_navigator.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_navigator.package.query.results import Results

ALIGNED = ' style="text-align: left"'  # Notebooks put numbers and texts of tables to the right


def table(name: str, results: Results) -> str:
    """Return the HTML of a package; what it says of itself is text there.

    Args:
        name: of its file.
    """
    return shown(f"{name}: {title(results)}", HEADINGS, matrix(results), notes(results))


def shown(caption: str, headings: Sequence[str], rows: Iterable[Sequence[str]], lines: Iterable[str] = ()) -> str:
    """Return the HTML of a table, with lines below it."""
    head, body = _row("th", headings), "".join(_row("td", row) for row in rows)
    said = "".join(f"<li>{_text(line)}</li>" for line in lines)
    below = f"<ul>{said}</ul>" if said else ""
    return f"<table><caption>{_text(caption)}</caption><thead>{head}</thead><tbody>{body}</tbody></table>{below}"


def _row(tag: str, cells: Iterable[str]) -> str:
    return f"<tr>{''.join(f'<{tag}{ALIGNED}>{_text(cell)}</{tag}>' for cell in cells)}</tr>"


def _text(text: str) -> str:
    return escape(one_line(text))
