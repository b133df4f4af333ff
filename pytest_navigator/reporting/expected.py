"""The end of a run for `nav_expected.toml`: what is judged, what is written, and what is said of both."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_navigator.core.expected import CHECK, FILE, UPDATE
from pytest_navigator.core.plain import write_atomically
from pytest_navigator.errors import ConfigError, NavigatorError, unknown_text
from pytest_navigator.gates.expected import Row, Verdict, fails, judged
from pytest_navigator.gates.expected_changes import Plan, after, planned, tightened, useless
from pytest_navigator.gates.expected_file import read
from pytest_navigator.isolation.causes import error_line
from pytest_navigator.text import short_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from pytest_navigator.core.expected import Expected, ExpectedOption
    from pytest_navigator.engine.host import Host
    from pytest_navigator.package.query.results import Results


@dataclass
class Judged:
    """One suite against its file.

    Attributes:
        name: of the model.
        expected: what the file says of it; once the changes are written, with these.
        plan: what is written of it.
        lines: what is said of it.
        reasons: why the run is not in order.
        repeats: those of them that tell of a step that failed, of which its own test tells.
    """

    name: str
    expected: Expected
    rows: list[Row]
    plan: Plan
    lines: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    repeats: list[str] = field(default_factory=list)

    @property
    def agreed(self) -> set[str]:
        """The ids of the steps that failed as they are expected to."""
        settled = (row for row in self.rows if row.verdict is Verdict.SAME or row.name in self.plan.settled)
        return {row.found.step for row in settled if row.found}


def finish(host: Host, suites: Iterable[Results], *, complete: bool) -> dict[str, Judged]:
    """Judge the suites of this run, write what is to be written, and return what there is to say of each, by node id.

    Args:
        complete: whether the session came to its end: one that did not writes nothing.
    """
    found = {each.suite.nodeid: _judged(host, each, complete=complete) for each in suites if _concerned(host, each)}
    files: dict[str, list[Judged]] = {}
    for each in found.values():
        files.setdefault(each.expected.file, []).append(each)
    for file, own in files.items():
        _write(host, file, own)
    for each in list(found.values())[:1]:
        each.reasons += _needless(host.options.expected, list(found.values()))
    return found


def _needless(option: ExpectedOption, every: Sequence[Judged]) -> list[str]:
    """Return what is said of each name that was to be loosened where nothing of a run got worse."""
    known = {name for each in every for row in each.rows for name in (row.name, *row.cells)}
    names = set.intersection(*(set(useless(option, each.rows)) for each in every))
    return [
        f"--nav-expected: there is nothing to loosen of {name}: it did not get worse"
        if name in known
        else f"--nav-expected=loosen:{name}: {unknown_text('cell', name, known)}"
        for name in sorted(names)
    ]


def _concerned(host: Host, results: Results) -> bool:
    return results.suite.expected is not None and results.suite.run == host.id


def _judged(host: Host, results: Results, *, complete: bool) -> Judged:
    expected, option = results.suite.expected, host.options.expected
    assert expected is not None
    rows = judged(expected, results.suite, results.outcomes)
    plan = planned(rows, expected, option)
    made = Judged(results.suite.name, expected, rows, plan if complete else Plan())
    if plan.changes and not complete:
        made.lines.append(f"{expected.file}: not written: the run was interrupted")
    open_rows = [row for row in rows if row.name not in made.plan.settled]
    made.reasons += reasons(open_rows, expected.file, option)
    failed = {outcome.id for outcome in results.outcomes if outcome.failed}
    made.repeats += reasons((r for r in open_rows if r.found and r.found.step in failed), expected.file, option)
    made.lines += lines(rows, expected, option)
    return made


def reasons(rows: Iterable[Row], file: str, option: ExpectedOption) -> list[str]:
    """Return why a run is not in order: what is worse, unknown or gone, and in CI what is better (pure)."""
    rows = list(rows)
    found = [row for row in rows if row.verdict is Verdict.UNKNOWN]
    whole = " in a run of all tests" if any(row.found and row.found.unfinished for row in found) else ""
    unknown = ", ".join(row.name for row in found)
    told = [f"{file} does not know {unknown}: run --nav-expected=update{whole}"] if unknown else []
    said = (row for row in rows if row.verdict in SAYS and fails(row, option.mode))
    return [*(SAYS[row.verdict](row, file, option) for row in said), *told]


def _worse(row: Row, file: str, option: ExpectedOption) -> str:
    assert row.line
    assert row.found
    text = f"{row.name}: {row.found.word}, where {file} expects {row.line.text}"
    message = f": {row.found.message}" if row.found.message else ""
    accept = f"; to accept it: --nav-expected=loosen:{row.name} --nav-expected-reason='...'"
    return f"{text}{message}{accept if option.mode == UPDATE else ''}"


def _better(row: Row, file: str, option: ExpectedOption) -> str:
    assert row.line
    return f"{row.name} passes, where {file} expects {row.line.text}: run --nav-expected=update, and commit the file"


def _vanished(row: Row, file: str, option: ExpectedOption) -> str:
    return f"{file} has {row.name}, which is not checked any more ({row.why}): bring it back, or delete its line"


SAYS: dict[Verdict, Callable[[Row, str, ExpectedOption], str]] = {
    Verdict.WORSE: _worse,
    Verdict.BETTER: _better,
    Verdict.VANISHED: _vanished,
}


def lines(rows: Sequence[Row], expected: Expected, option: ExpectedOption) -> list[str]:
    """Return what is said of the cells that are in order, and of those that are not judged (pure)."""
    same = [row for row in rows if row.verdict is Verdict.SAME]
    return [
        *([f"expected: {len(same)} as {expected.file} says"] if same else []),
        *(_unsteady(row) for row in same if row.line and len(row.line.outcomes) > 1),
        *_unjudged(rows, expected),
        *(_loose(row, expected.file) for row in same if option.mode == CHECK and _is_loose(row)),
    ]


def _unsteady(row: Row) -> str:
    assert row.line
    assert row.found
    return f"expected: {row.name} is {row.line.text} ({row.line.reason}), {row.found.word} this time"


def _unjudged(rows: Iterable[Row], expected: Expected) -> Iterator[str]:
    causes: dict[str, list[str]] = {}
    for row in rows:
        if row.verdict is Verdict.UNJUDGED and row.line is not None:
            causes.setdefault(row.why, []).append(row.name)
    yield from (f"not judged: {', '.join(names)} ({why})" for why, names in causes.items())
    for requirement, count in expected.elsewhere.items():
        yield f"not judged: {count} of [when.{requirement}], which is not here"


def _is_loose(row: Row) -> bool:
    return bool(row.line and row.found and row.own and tightened(row.line, row.found.atol))


def _loose(row: Row, file: str) -> str:
    return f"note: {row.name} needs less than a tenth of its tolerance in {file}: --nav-expected=update tightens it"


def _write(host: Host, file: str, suites: list[Judged]) -> None:
    """Write the changes of all suites of one file, once."""
    first = suites[0]
    first.lines += _others(host, file, suites)
    changes = {each.name: each.plan.changes for each in suites if each.plan.changes}
    if not changes:
        return
    from pytest_navigator.gates.expected_writing import Unwritten, write

    try:
        edited = write(host.project / file, changes, file)
    except Unwritten as error:
        first.reasons.append(f"{file} cannot be written ({error}): {_beside(host, error.text)}")
        return
    except Exception as error:  # whatever it is, the packages and the reports of the run come after this
        why = error if isinstance(error, NavigatorError) else error_line(error)
        first.reasons.append(f"{file} was not written: {why}")
        return
    for each in suites:
        written = [change for change in each.plan.changes if (each.name, change.name) not in edited]
        each.lines += [f"{file}: {change.text}" for change in written]
        each.expected = after(each.expected, written)
    first.lines += [f"note: {name} in {file} was edited while this run ran: it stays as it is" for _, name in edited]


def _beside(host: Host, text: str) -> str:
    """Keep what could not be written, and return where it is."""
    beside = host.workspace.root / FILE
    try:
        write_atomically(beside, text.encode())
    except OSError:
        return f"it would be:\n{text}"
    return f"what it would be is in {short_path(beside, host.start)}"


def _others(host: Host, file: str, suites: list[Judged]) -> list[str]:
    """Return which models of a file are not part of this run."""
    path: Path = host.project / file
    try:
        known = read(path, file).names if path.exists() else []
    except ConfigError:
        return []
    others = [name for name in known if name not in {each.name for each in suites}]
    return [f"not judged: {', '.join(others)} of {file}: no such model in this run"] if others else []
