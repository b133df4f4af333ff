"""Which formats another Python has made and run, as lines of the summary (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_navigator.core.records import Outcome


def interpreters(outcomes: Iterable[Outcome]) -> list[str]:
    """Return a line for each Python that is not that of the run: the formats, its version, the libraries there."""
    there: dict[str, dict[str, str]] = {}
    for outcome in outcomes:
        if outcome.notes.interpreter:
            there.setdefault(outcome.key or outcome.id, {}).update(outcome.notes.interpreter)
    keys: dict[str, list[str]] = {}
    for key, found in there.items():
        keys.setdefault(_text(found), []).append(key)
    return [f"note: {', '.join(each)} in another Python: {text}" for text, each in keys.items()]


def _text(found: Mapping[str, str]) -> str:
    libraries = ", ".join(f"{name} {version}" for name, version in found.items() if name != "python")
    return f"{found.get('python', '')}{f' ({libraries})' if libraries else ''}"
