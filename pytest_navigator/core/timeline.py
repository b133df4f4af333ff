"""What ran where, from when to when: events of one process of a run, in a file of lines."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True)
class Event:
    """One piece of work.

    Attributes:
        lane: what did it: "pytest" or a worker's name; the child of that; its thread for steps that run ahead.
        name: what it was.
        begin, end: s since the epoch.
    """

    lane: str
    name: str
    begin: float
    end: float

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.end - self.begin


@dataclass(frozen=True)
class Timeline:
    """What one process notes.

    Attributes:
        file: gets a line for each event.
        process: "pytest", or the name of a worker.
    """

    file: Path
    process: str = "pytest"

    @contextmanager
    def of(self, name: str, part: str = "") -> Iterator[None]:
        """Note what is done here.

        Args:
            part: of the process: "child", "ahead"; "": itself.
        """
        begin = time.time()
        try:
            yield
        finally:
            self.add(name, begin, time.time(), part)

    def add(self, name: str, begin: float, end: float, part: str = "") -> None:
        """Note what was done, at once: a process may end at any time. A full disk is no reason to fail for."""
        event = Event(f"{self.process} {part}".rstrip(), name, begin, max(begin, end))  # a clock can be set back
        with suppress(OSError), self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(event)) + "\n")


def read_events(folder: Path) -> list[Event]:
    """Return the events of all processes; a line that a killed process has left half is left out."""
    found = []
    for file in sorted(folder.glob("*.jsonl")):
        for line in file.read_text(encoding="utf-8").splitlines():
            try:
                found.append(Event(**json.loads(line)))
            except ValueError:
                continue
    return sorted(found, key=lambda event: (event.begin, event.end))
