"""Standard input and output as the connection of a child, where none can be inherited: in a container."""

from __future__ import annotations

import os
import select
import signal
import time
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import NoReturn, Self

GRACE = 1.0  # How long in s an idle child gets for its own exit when its parent is gone
SIGNALLED = 128  # What a process that waited for one ended by a signal adds to its number, as shells and docker do


class Pipes:
    """Two pipes, one for each direction, with the methods of a `Connection` that messages need."""

    def __init__(self, reading: int, writing: int) -> None:
        self._reading = Connection(reading, writable=False)
        self._writing = Connection(writing, readable=False)

    def send_bytes(self, part: bytes) -> None:
        """Send one part of a message."""
        self._writing.send_bytes(part)

    def recv_bytes(self) -> bytes:
        """Wait for one part of a message.

        Raises:
            EOFError: the other end is closed.
        """
        return self._reading.recv_bytes()

    def poll(self, timeout: float) -> bool:
        """Wait until there is something to read, or the end; timeout in s."""
        return self._reading.poll(timeout)

    def close(self) -> None:
        """Close both."""
        self._writing.close()
        self._reading.close()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close both."""
        self.close()


def standard() -> Pipes:
    """Take standard input and output for messages, in a process that a guard waits for from now on.

    What else is written to standard output goes to standard error.
    """
    # Copies: no process that this one starts has them.
    reading, writing = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(2, 1)
    os.close(null)
    _leave_to_a_guard(reading, writing)
    return Pipes(reading, writing)


def _leave_to_a_guard(reading: int, writing: int) -> None:
    """Go on in a process of its own; this one ends it with the parent, and ends with it.

    In a container the first process ends all others, and nothing in there could end it: so that is the guard.
    """
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, _nothing)
    signal.set_wakeup_fd(wake)
    worker = os.fork()
    if worker:
        os.close(writing)  # an open copy would hide the end of the worker
        _guard(worker, reading, woken)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.close(woken)
    os.close(wake)


def _nothing(number: int, frame: object) -> None:
    """Let the signal wake the guard; by default it would not."""


def _guard(worker: int, reading: int, woken: int) -> NoReturn:
    try:
        events = select.poll()
        events.register(reading, 0)  # the end of the other side alone: what comes is the worker's to read
        events.register(woken, select.POLLIN)
        while reading not in [descriptor for descriptor, _ in events.poll()]:
            os.read(woken, 1)
            _end_with(worker)
        end = time.monotonic() + GRACE
        while time.monotonic() < end:
            _end_with(worker)
            time.sleep(0.01)
        os.kill(worker, signal.SIGKILL)
        os.killpg(0, signal.SIGKILL)
    finally:
        os._exit(1)


def _end_with(worker: int) -> None:
    """End this process as the worker has ended, if it has."""
    pid, status = os.waitpid(worker, os.WNOHANG)
    if pid:
        code = os.waitstatus_to_exitcode(status)
        os._exit(code if code >= 0 else SIGNALLED - code)
