"""Which formats another Python has made and run, as lines of the summary (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_navigator.core.records import Outcome


def interpreters(outcomes: Iterable[Outcome]) -> list[str]:
    """Return a line for each Python that is not that of the run: the formats, its version, the libraries there."""
    found: dict[str, list[str]] = {}
    for outcome in outcomes:
        if there := outcome.notes.interpreter:
            libraries = ", ".join(f"{name} {version}" for name, version in there.items() if name != "python")
            text = f"{there.get('python', '')}{f' ({libraries})' if libraries else ''}"
            found.setdefault(text, []).append(outcome.key or outcome.id)
    made = {text: ", ".join(dict.fromkeys(keys)) for text, keys in found.items()}
    return [f"note: {keys} in another Python: {text}" for text, keys in made.items()]
