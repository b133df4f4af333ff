"""A workspace as messages, for a machine that does not see its disk: what was recorded, and the files, in pieces."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeAlias

from pytest_navigator.core.plain import write_atomically
from pytest_navigator.engine.workspace import BASELINE_FILES, EARLIER, MARKER, Workspace
from pytest_navigator.errors import NavigatorError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_navigator.core.plain import JSON

CHUNK = 2**20  # B of a file in one message
SHIPPED = f"{MARKER}.host"  # In a workspace of a host: what is recorded of the machine

# What builtin types can say: ("file", name), the bytes of it, ("end", count of files), or ("error", why).
Message: TypeAlias = "tuple[str, str | int] | bytes"

KINDS = ("suite.json", "pipeline.json")
LEFT_THERE = (EARLIER, BASELINE_FILES, "__pycache__")


def note_machine(workspace: Workspace, machine: dict[str, JSON]) -> None:
    """Keep what is to be recorded of this machine, as `Results.machines` has it, with what is sent."""
    write_atomically(workspace.root / SHIPPED, json.dumps(machine).encode())


def messages(root: str, run: str) -> Iterator[Message]:
    """Yield what a run has left in its workspace on this machine.

    Args:
        root: the workspace.
        run: what the run has claimed it with.
    """
    workspace = Workspace(Path(root))
    if not workspace.is_of(run):
        yield "error", f"{root} is not this run's workspace any more"
        return
    count = 0
    for name, path in _files(workspace.root):
        yield "file", name
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                yield chunk
        count += 1
    yield "end", count


def _files(root: Path) -> Iterator[tuple[str, Path]]:
    folders = sorted({path.parent for kind in KINDS for path in root.glob(f"*/{kind}")})
    if (root / SHIPPED).exists():
        yield SHIPPED, root / SHIPPED
    for folder in folders:
        for path in _below(folder):
            yield path.relative_to(root).as_posix(), path


def _below(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name in LEFT_THERE or path.suffix == ".lock":
            continue
        if path.is_dir() and not path.is_symlink():
            yield from _below(path)
        elif path.is_file() and path.resolve().is_relative_to(folder.resolve()):
            yield path


@dataclass
class Receiver:
    """Writes what another machine sends below a folder, which must not be there yet.

    Attributes:
        problem: why it is not whole; "" as long as nothing is wrong.
        ended: whether everything is there.
        heard: when the last message came, s of `time.monotonic`.
    """

    folder: Path
    problem: str = ""
    ended: bool = False
    heard: float = field(default_factory=time.monotonic)
    _count: int = 0
    _file: BinaryIO | None = None

    def take(self, message: Message) -> None:
        """Take the next message; what goes wrong becomes the problem."""
        self.heard = time.monotonic()
        if self.problem or self.ended:
            return
        try:
            self._take(message)
        except (OSError, ValueError, NavigatorError) as error:
            self.stop(f"what it sends cannot be written ({error})")

    def stop(self, problem: str) -> None:
        """End it, with why; nothing if it has ended."""
        if not self.ended:
            self.problem = self.problem or problem
        self._close()

    def machine(self) -> dict[str, JSON]:
        """Return what is recorded of the machine."""
        path = self.folder / SHIPPED
        found: dict[str, JSON] = json.loads(path.read_bytes()) if path.exists() else {}
        return found

    def _take(self, message: Message) -> None:
        if isinstance(message, bytes):
            if self._file is None:
                raise ValueError("a piece of no file")
            self._file.write(message)
            return
        self._close()
        kind, said = message
        if kind == "file":
            self._file = self._opened(str(said))
            self._count += 1
        elif kind == "end" and said == self._count:
            self.ended = True
        else:
            self.stop(str(said) if kind == "error" else "files are missing")

    def _opened(self, name: str) -> BinaryIO:
        # A host is asked to run our code, and so trusted; but no bug of its is to write elsewhere.
        if os.path.isabs(name) or {"", ".", ".."} & set(name.split("/")) or set(name) & set("\\\0"):
            raise ValueError(f"a name that leads elsewhere: {name!r}")
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("xb")

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
