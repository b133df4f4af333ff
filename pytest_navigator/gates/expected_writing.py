"""Changes -> the text of a `nav_expected.toml`: comments, order and what the user has edited meanwhile stay."""

from __future__ import annotations

import math
import re
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeAlias

from filelock import FileLock

from pytest_navigator.core.digests import text_digest
from pytest_navigator.core.expected import ExpectedLine
from pytest_navigator.core.plain import write_atomically
from pytest_navigator.gates.expected_file import WHEN, ExpectedFile, parsed
from pytest_navigator.gates.expected_lines import HEADER, changed_line, own_table, plain_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_navigator.gates.expected_changes import Change

Place: TypeAlias = tuple[str, ...]
"""The names of a table: (model,), or ("when", requirement, model)."""

Line: TypeAlias = tuple[str, str]
"""A line by its model and its name."""


class Unwritten(Exception):
    """The file could not be written.

    Args:
        reason: why.
        text: what it would have been.
    """

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(reason)
        self.text = text


def write(path: Path, changes: Mapping[str, Sequence[Change]], name: str) -> list[Line]:
    """Change a file as it is now, whole or not at all.

    Args:
        changes: by model.
        name: what the file is called in texts.

    Returns:
        The changes that were left out, since somebody has edited their lines since the run read them.

    Raises:
        ConfigError: it is not what it was any more, and cannot be read.
        Unwritten: the disk or its permissions refuse, or no line can be changed in the way in which it is spelled.
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


def changed(text: str, changes: Mapping[str, Sequence[Change]], name: str) -> tuple[str, list[Line]]:
    """Return a text with the changes, and the lines of those that it does not take: their lines are others by now.

    Raises:
        ConfigError: the text is wrong.
        Unwritten: the tables are spelled in a way that no line can be changed in.
    """
    content = parsed(text, name)
    # Of two ends of lines in one file, nobody knows which one is meant: each stays.
    windows = "\r\n" in text and not re.search(r"(?<!\r)\n", text)
    text = (text.replace("\r\n", "\n") if windows else text) if text.strip() else HEADER
    every = [(_place(model, change), change) for model, own in changes.items() for change in own]
    taken = [(place, change) for place, change in every if _lines(content, place).get(change.name) == change.before]
    edited = [(place[-1], change.name) for place, change in every if (place, change) not in taken]
    for place, change in taken:
        text = _applied(text, place, change) or _refused(content, taken, place)
    return text.replace("\n", "\r\n") if windows else text, edited


def _refused(content: ExpectedFile, changes: Sequence[tuple[Place, Change]], place: Place) -> NoReturn:
    for each, change in changes:
        content = _meant(content, each, change)
    raise Unwritten(f"the lines of [{'.'.join(place)}] stand in several places", plain_text(_every(content)))


def _place(model: str, change: Change) -> Place:
    """Return the names of the table in which a line stands."""
    section = (change.before or change.line or ExpectedLine(())).section
    return (WHEN, section, model) if section else (model,)


def _lines(content: ExpectedFile, place: Place) -> dict[str, ExpectedLine]:
    models = content.when.get(place[1], {}) if len(place) > 1 else content.models
    return models.get(place[-1], {})


def _applied(text: str, place: Place, change: Change) -> str:
    """Return a text with one change, which says that and nothing else; "" where none can be made."""
    meant = _meant(parsed(text), place, change)
    for way in (changed_line, own_table):
        try:
            found = way(text, place, change)
            if _same(parsed(found), meant):
                return found
        except Exception:  # of tables that stand in several places tomlkit makes all kinds of errors
            continue
    return ""


def _meant(content: ExpectedFile, place: Place, change: Change) -> ExpectedFile:
    """Return what a file is to say after a change."""
    lines = {name: line for name, line in _lines(content, place).items() if name != change.name}
    if change.line is not None:
        lines[change.name] = replace(change.line, reason=change.line.reason.strip())
    if len(place) == 1:
        return replace(content, models={**content.models, place[0]: lines})
    section = {**content.when.get(place[1], {}), place[2]: lines}
    return replace(content, when={**content.when, place[1]: section})


def _same(one: ExpectedFile, other: ExpectedFile) -> bool:
    """Whether two files say the same; a table may be empty or not be there, a number is written with two digits."""
    found, meant = dict(_every(one)), dict(_every(other))
    return found.keys() == meant.keys() and all(_alike(found[key], meant[key]) for key in meant)


def _every(content: ExpectedFile) -> Iterator[tuple[Place, ExpectedLine]]:
    """Return each line with the names of its table and its own."""
    tables: dict[Place, dict[str, ExpectedLine]] = {(model,): lines for model, lines in content.models.items()}
    tables |= {(WHEN, name, model): lines for name, models in content.when.items() for model, lines in models.items()}
    yield from (((*place, name), line) for place, lines in tables.items() for name, line in lines.items())


def _alike(one: ExpectedLine, other: ExpectedLine) -> bool:
    rounded = all(math.isclose(one.atol.get(output, -1), value, rel_tol=0.05) for output, value in other.atol.items())
    return replace(one, atol={}) == replace(other, atol={}) and one.atol.keys() == other.atol.keys() and rounded
