"""Changes -> the text of a `nav_expected.toml`: comments, order and what the user has edited meanwhile stay."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomlkit
from filelock import FileLock
from tomlkit.items import Table

from pytest_navigator.comparison.tolerances import number
from pytest_navigator.core.digests import text_digest
from pytest_navigator.core.expected import ExpectedLine
from pytest_navigator.core.plain import write_atomically
from pytest_navigator.gates.expected_file import WHEN, ExpectedFile, parsed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tomlkit import TOMLDocument
    from tomlkit.items import InlineTable

    from pytest_navigator.gates.expected_changes import Change

HEADER = (
    "# What each format and runtime of a model is expected to do; whatever gets worse fails the run.\n"
    "# pytest --nav --nav-expected=update adds what is new, and writes what has become better.\n"
)


class Unwritten(Exception):
    """The file could not be written.

    Args:
        reason: why.
        text: what it would have been.
    """

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(reason)
        self.text = text


def write(path: Path, changes: Mapping[str, Sequence[Change]], name: str) -> list[str]:
    """Change a file as it is now, whole or not at all.

    Args:
        changes: by model.
        name: what the file is called in texts.

    Returns:
        The changes that were left out, since somebody has edited their lines since the run read them.

    Raises:
        ConfigError: it is not what it was any more, and cannot be read.
        Unwritten: the disk or its permissions refuse.
    """
    path = path.resolve()  # a link stays one
    with _lock(path):
        before = path.read_bytes().decode() if path.exists() else ""
        text, edited = changed(before, changes, name)
        if text == before:
            return edited
        try:
            write_atomically(path, text.encode())
        except OSError as error:
            raise Unwritten(error.strerror or str(error), text) from None
        return edited


def _lock(path: Path) -> FileLock:
    # Not beside the file: a lock stays, and that folder is the user's.
    return FileLock(Path(tempfile.gettempdir(), f"nav_expected-{text_digest(str(path))[:16]}.lock"), mode=0o666)


def changed(text: str, changes: Mapping[str, Sequence[Change]], name: str) -> tuple[str, list[str]]:
    """Return a text with the changes, and the names of those that it does not take: their lines are others by now.

    Raises:
        ConfigError: the text is wrong.
    """
    content = parsed(text, name)
    edited: list[str] = []
    text = text if text.strip() else HEADER
    for model, own in changes.items():
        for change in own:
            if _line(content, model, change) == change.before:
                text = _applied(text, model, change)
            else:
                edited.append(change.name)
    return text, edited


def _line(content: ExpectedFile, model: str, change: Change) -> ExpectedLine | None:
    section = (change.before or change.line or ExpectedLine(())).section
    models = content.when.get(section, {}) if section else content.models
    return models.get(model, {}).get(change.name)


def _applied(text: str, model: str, change: Change) -> str:
    section = (change.before or change.line or ExpectedLine(())).section
    names = (WHEN, section, model) if section else (model,)
    if _table(tomlkit.parse(text), names) is None:
        text = _with_table(text, names)
    document = tomlkit.parse(text)
    table = _table(document, names)
    if change.line is None:
        table.remove(change.name)
    elif change.name in table and _fits(table[change.name], change.line):
        _update(table[change.name], change.line)
    elif change.name in table:
        table[change.name] = _inline(change.line)  # what stands before and behind it stays
    else:
        _insert(table, change.name, _inline(change.line))
    return tomlkit.dumps(document)


def _table(document: TOMLDocument, names: Sequence[str]) -> Any:
    found: Any = document
    for name in names:
        found = found.get(name) if found is not None else None
    return found


def _with_table(text: str, names: Sequence[str]) -> str:
    """Return a text with one more table, after an empty line: by hand, since tomlkit leaves one or none or two."""
    end = "\r\n" if "\r\n" in text else "\n"
    before = text.rstrip("\r\n") + end + end if text.strip() else ""
    return f"{before}[{tomlkit.key(list(names)).as_string()}]{end}"


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
