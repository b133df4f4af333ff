"""pytest's report of one of our tests -> the same with texts that can be written, and that are not too long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_navigator.text import LINE, RECORD, bounded, printable, writable

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest


def bound(report: pytest.TestReport) -> None:
    """Cut what a user's exception, a print or a name brings into a report, in place: each plugin repeats it.

    pytest-xdist ends the run where such a text has no UTF-8; a text of 50 MB becomes GBs in the terminal and in XML.
    """
    report.sections = [(_line(name), writable(bounded(text, RECORD))) for name, text in report.sections]
    report.user_properties = [(_line(name), _value(value)) for name, value in report.user_properties]
    if hasattr(report, "wasxfail"):
        report.wasxfail = _line(report.wasxfail)
    longrepr = report.longrepr
    if isinstance(longrepr, str):
        report.longrepr = _text(longrepr)
    elif isinstance(longrepr, tuple):
        report.longrepr = (longrepr[0], longrepr[1], _line(longrepr[2]))
    else:
        for part in _parts(longrepr):
            _cut(part)


def _parts(longrepr: Any) -> Iterator[Any]:
    """Yield whatever of an exception's representation has texts: of the whole chain of exceptions."""
    for trace, crash, _ in getattr(longrepr, "chain", None) or [(longrepr, None, None)]:
        yield from (crash, trace)
        for entry in getattr(trace, "reprentries", ()):
            yield from (entry, getattr(entry, "reprlocals", None), getattr(entry, "reprfileloc", None))


def _cut(part: Any) -> None:
    if isinstance(lines := getattr(part, "lines", None), list):
        said = [line for line in lines if line.startswith("E ")]
        source = [line for line in lines if not line.startswith("E ")]
        part.lines = [*_text("\n".join(source)).split("\n"), *_line("\n".join(said)).split("\n")]
    for name in ("message", "errorstring"):
        if isinstance(text := getattr(part, name, None), str):
            setattr(part, name, _line(text))


def _value(value: Any) -> Any:
    return _line(value) if isinstance(value, str) else value


def _line(text: str) -> str:
    return printable(bounded(str(text), LINE))


def _text(text: str) -> str:
    return printable(bounded(text, RECORD))
