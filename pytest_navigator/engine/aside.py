"""A step that has run ahead of its item: what it found and left, until somebody asks for it or it is taken back."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pytest_navigator.core.ours import remove, write_note
from pytest_navigator.engine.workspace import AHEAD, SuiteFolder, slug

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pytest_navigator.core.plain import JSON
    from pytest_navigator.core.records import Outcome


@dataclass(frozen=True)
class AsideFolder(SuiteFolder):
    """The folder of a suite, as one step sees it that runs ahead.

    It finds what others have found ahead among the records, and has a log of its own. What it makes lies where it
    belongs: paths are in messages, scripts and artifacts.

    Attributes:
        step: its id; key: its variant.
        found_ahead: the outcomes that are not recorded yet, by the id of their step.
    """

    step: str = ""
    key: str = ""
    found_ahead: Callable[[str], Outcome | None] = field(default=lambda step: None)

    def record(self, step: str) -> Outcome | None:
        """Return the outcome of a step, recorded or not."""
        # In this order: the main thread writes a record before it drops what was found.
        return self.found_ahead(step) or super().record(step)

    def log(self, key: str) -> Path:
        """Return the step's own log."""
        super().log(key)
        return self.path / AHEAD / f"{slug(self.step)}.log"

    def begin(self, traces: Sequence[str]) -> None:
        """Note what the step leaves, for whoever finds it after this process has died.

        Args:
            traces: patterns of files and folders below the suite's folder.
        """
        (self.path / AHEAD).mkdir(exist_ok=True)
        self.forget_log()
        write_note(self.note, traces=[*traces])

    @property
    def note(self) -> Path:
        """Where that is."""
        return self.path / AHEAD / f"{slug(self.step)}.json"

    def logged(self) -> int:
        """Return how much is in the step's own log."""
        own = self.log(self.key)
        return own.stat().st_size if own.exists() else 0

    def append_log(self, pieces: Sequence[tuple[int, int]]) -> None:
        """Let the variant's log go on with pieces of the step's own, from one byte to another."""
        own = self.log(self.key).read_bytes() if self.logged() else b""
        if own:
            with SuiteFolder.log(self, self.key).open("ab") as log:
                log.write(b"".join(own[begin:end] for begin, end in pieces))

    def forget_log(self) -> None:
        """Remove the step's own log."""
        self.log(self.key).unlink(missing_ok=True)


@dataclass(frozen=True)
class Pending:
    """What a step has found that nobody asked for yet.

    Attributes:
        hints: what the end of the run is to say of it, completed by `commit`.
        settings: the numeric settings of pytest's process under which it ran.
        later: what is left to the main thread, each with how much the step had logged before.
        completed: what the outcome is then.
    """

    outcome: Outcome
    folder: AsideFolder
    hints: list[str]
    settings: dict[str, dict[str, JSON]]
    later: tuple[tuple[int, Callable[[], object]], ...]
    completed: Callable[[Outcome], Outcome]

    def commit(self, folder: SuiteFolder) -> Outcome:
        """Make it the run's; returns the outcome as it is recorded.

        Raises:
            Exception: what is left to the main thread cannot be done; the run has nothing of the step then.
        """
        pieces, written, logged = [], 0, self.folder.logged()
        for before, work in self.later:
            known = self.folder.logged()
            work()
            pieces += [(written, before), (known, self.folder.logged())]
            written = before
        found = self.completed(self.outcome).noted(asked_at=datetime.now(UTC).isoformat())
        self.folder.append_log([*pieces, (written, logged)])
        found = folder.write(found)
        self.folder.note.unlink(missing_ok=True)
        self.folder.forget_log()
        return found

    def take_back(self) -> None:
        """Leave the folder as if the step had not run."""
        take_back(self.folder)


def take_back(folder: AsideFolder) -> None:
    """Remove what a step has left that has run ahead, or was about to."""
    folder.forget_log()
    if folder.note.exists():
        folder.take_back_ahead(folder.note)
    inner = folder.path / folder.key
    if inner.is_dir() and not any(inner.iterdir()):
        remove(inner)
