"""One line of the text of a `nav_expected.toml`: comments, order and spelling of everything else stay (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tomlkit
from tomlkit.items import Table

from pytest_navigator.comparison.tolerances import number

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tomlkit import TOMLDocument
    from tomlkit.items import InlineTable

    from pytest_navigator.core.expected import ExpectedLine
    from pytest_navigator.gates.expected_changes import Change

HEADER = (
    "# What each format and runtime of a model is expected to do; whatever gets worse fails the run.\n"
    "# pytest --nav --nav-expected=update adds what is new, and writes what has become better.\n"
)


def changed_line(text: str, names: Sequence[str], change: Change) -> str:
    """Return a text with a line changed where it is, or put where its name belongs.

    Raises:
        Exception: of any class, from tomlkit, where the table stands in several places.
    """
    if _table(tomlkit.parse(text), names) is None:
        text = _with_table(text, names)
    document = tomlkit.parse(text)
    table = _table(document, names)
    if change.line is None:
        del table[change.name]
    elif change.name in table and _fits(table[change.name], change.line):
        _update(table[change.name], change.line)
    elif change.name in table:
        table[change.name] = _inline(change.line)  # what stands before and behind it stays
    else:
        _insert(table, change.name, _inline(change.line))
    return tomlkit.dumps(document)


def own_table(text: str, place: Sequence[str], change: Change) -> str:
    """Return a text with a new line as a table at its end: that can be, however the others are spelled.

    Raises:
        ValueError: the line is not a new one.
    """
    if change.line is None or change.before is not None:
        raise ValueError(change.name)
    document = tomlkit.parse("")
    _update(document, change.line)
    return _with_table(text, (*place, change.name)) + tomlkit.dumps(document)


def plain_text(lines: Iterable[tuple[tuple[str, ...], ExpectedLine]]) -> str:
    """Return a file anew, without the comments and the order of the one that there is.

    Args:
        lines: with the names of their tables, and their own.
    """
    tables: dict[tuple[str, ...], TOMLDocument] = {}
    for (*place, name), line in sorted(lines, key=lambda each: (len(each[0]), each[0])):
        tables.setdefault(tuple(place), tomlkit.document())[name] = _inline(line)
    text = HEADER
    for names, table in tables.items():
        text = _with_table(text, names) + tomlkit.dumps(table)
    return text


def _table(document: TOMLDocument, names: Sequence[str]) -> Any:
    found: Any = document
    for name in names:
        found = found.get(name) if found is not None else None
    return found


def _with_table(text: str, names: Sequence[str]) -> str:
    """Return a text with one more table, after an empty line: by hand, since tomlkit leaves one or none or two."""
    before = text.rstrip("\r\n") + "\n\n" if text.strip() else ""
    return f"{before}[{tomlkit.key(list(names)).as_string()}]\n"


def _insert(table: Table, name: str, line: InlineTable) -> None:
    """Put a line where it belongs by its name; where it is the last one, after what is the last one now."""
    body = table.value.body
    later = [i for i, (key, _) in enumerate(body) if key is not None and key.key > name]
    last = [i for i, (key, _) in enumerate(body) if key is not None]
    place = later[0] if later else last[-1] + 1 if last else len(body)
    if place < len(body):
        line.trivia.trail = "\n"
        table.value._insert_at(place, name, line)  # there is no public way
    else:
        table.append(name, line)


def _fits(item: Any, line: ExpectedLine) -> bool:
    """Whether a line can stay as it is spelled; tomlkit gets the spaces wrong where keys come and go."""
    named = {"outcome": True, "atol": bool(line.atol), "reason": bool(line.reason)}
    same = all((name in item) == there for name, there in named.items())
    return isinstance(item, Table) or (same and set(item.get("atol", ())) == set(line.atol))


def _inline(line: ExpectedLine) -> InlineTable:
    made = tomlkit.inline_table()
    _update(made, line)
    return made


def _update(item: Any, line: ExpectedLine) -> None:
    """Make a line say what it is to say; what it says already stays as it is written."""
    outcome: Any = line.outcomes[0] if len(line.outcomes) == 1 else list(line.outcomes)
    if item.get("outcome") != outcome:
        item["outcome"] = outcome
    if line.atol:
        _update_atol(item, line.atol)
    elif "atol" in item:
        item.remove("atol")
    if line.reason and item.get("reason") != line.reason:
        item["reason"] = line.reason
    elif not line.reason and "reason" in item:
        item.remove("reason")


def _update_atol(item: Any, atol: Mapping[str, float]) -> None:
    if "atol" not in item:
        item["atol"] = tomlkit.inline_table()
    for output, value in atol.items():
        if float(item["atol"].get(output, -1)) != value:
            item["atol"][output] = tomlkit.value(number(value))
    for output in set(item["atol"]) - set(atol):
        item["atol"].remove(output)
