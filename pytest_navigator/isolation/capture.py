"""Output of a process, that of C libraries too, in a file."""

from __future__ import annotations

import ctypes
import fcntl
import io
import os
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from pytest_navigator.text import bounded

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from typing import TextIO

STDOUT = 1
STDERR = 2
TAIL_BYTES = 64 * 1024
LINE_LENGTH = 300


@contextmanager
def redirected(log: Path) -> Iterator[None]:
    """Append all that this process writes to stdout and stderr to `log`, in order and at once.

    File descriptors 1 and 2 as well as `sys.stdout` and `sys.stderr`, which need not belong together (under pytest they
    do not), and which may be closed or None. Everything is as before after the block, however it ends. Blocks may be
    nested; they hold for all threads.

    Raises:
        OSError: the log cannot be opened.
    """
    streams = sys.stdout, sys.stderr
    _flush(*streams)
    saved = {target: _duplicate(target) for target in (STDOUT, STDERR)}
    try:
        _open(log)
        sys.stdout, sys.stderr = _writer(STDOUT), _writer(STDERR)
        yield
    finally:
        _flush(sys.stdout, sys.stderr, *streams)
        sys.stdout, sys.stderr = streams
        for target, copy in saved.items():
            _restore(target, copy)


def tail(path: Path, lines: int = 20, since: int = 0) -> str:
    """Return the last `lines` lines of what is behind the first `since` bytes of a file, "" if there is no file."""
    try:
        with path.open("rb") as file:
            return tail_of(file.fileno(), lines, since)
    except FileNotFoundError:
        return ""


def tail_of(descriptor: int, lines: int = 20, since: int = 0) -> str:
    """Do what `tail` does for an open file, without moving its position (which another process may share)."""
    size = os.fstat(descriptor).st_size
    start = max(since, size - TAIL_BYTES)
    text = os.pread(descriptor, max(0, size - start), start).decode(errors="replace")
    return _shown(text.splitlines()[-lines:])


def holds(path: Path, text: str) -> bool:
    """Whether a file ends with a text, or with what `tail` shows of it, and perhaps with more."""
    end, lines = tail(path, lines=sys.maxsize), text.strip().splitlines()
    return "\n".join(lines) in end or _shown(lines) in end


def _shown(lines: Sequence[str]) -> str:
    # After a crash faulthandler names every extension module in one line: with torch, several thousand characters.
    # What ONNX Runtime says ends with the sizes that do not fit, behind the path of its own source file.
    return "\n".join(bounded(line, LINE_LENGTH) for line in lines)


def _open(log: Path) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    for target in (STDOUT, STDERR):
        if descriptor != target:
            os.dup2(descriptor, target)
    # The lowest free number: one of the two itself, if that was closed.
    if descriptor in (STDOUT, STDERR):
        os.set_inheritable(descriptor, True)
    else:
        os.close(descriptor)


def _writer(descriptor: int) -> TextIO:
    raw = io.FileIO(descriptor, "w", closefd=False)
    return io.TextIOWrapper(raw, encoding="utf-8", errors="backslashreplace", write_through=True)


def _flush(*streams: TextIO | None) -> None:
    for stream in streams:
        # None, closed, or another's object: whatever its flush does, it must not stop the step.
        with suppress(Exception):
            stream.flush()  # type: ignore[union-attr]
    # What C code printed is in C's own buffers.
    ctypes.CDLL(None).fflush(None)


def _duplicate(descriptor: int) -> int | None:
    try:
        # Not below 3, where it would take the place of a standard descriptor that is closed.
        return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 3)
    except OSError:
        return None


def _restore(target: int, copy: int | None) -> None:
    if copy is None:
        with suppress(OSError):
            os.close(target)
    else:
        os.dup2(copy, target)
        os.close(copy)
