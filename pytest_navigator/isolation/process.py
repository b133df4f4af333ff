"""One started child, as its parent sees it, and what its end means."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_navigator.isolation.capture import tail_of
from pytest_navigator.isolation.messages import decode, encode, error_from
from pytest_navigator.isolation.pipes import SIGNALLED
from pytest_navigator.isolation.starting import started

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np

    from pytest_navigator.core.plain import JSON
    from pytest_navigator.isolation.starting import Start

# Longest time in s in which a child starts and makes its imports (a framework on a network disk: minutes).
START_LIMIT = 300.0

# How often in s it is looked whether the child still lives, should a process of its own hold its socket open.
POLL = 0.5

EXIT_LIMIT = 5.0  # How long in s a process whose socket has closed may take to end


class Process:
    """One started child.

    Attributes:
        importing: the module that it imports until it is ready; "" before, and from then on.
        failed: what it could not import, and why.
        imported: from when to when it made the imports that were asked for together, in s since the epoch.
    """

    def __init__(self, start: Start, settings: dict[str, dict[str, JSON]]) -> None:
        self.importing = ""
        self.failed: dict[str, str] = {}
        self.imported: list[tuple[float, float]] = []
        self._started = False
        self._warming_up = 0
        self._oom_kills = _oom_kills()
        self._wrapped = start.interpreter is not None and start.interpreter.wrapped
        with ExitStack() as stack:
            self._output = stack.enter_context(tempfile.TemporaryFile())
            self.connection, self._popen = started(start, self._output.fileno(), stack)
            self._resources = stack.pop_all()
        self.set_up({**start.told(), "settings": settings})

    def set_up(self, told: dict[str, Any]) -> None:
        """Tell it what `Worker.set_up` takes; no answer comes."""
        self._send(encode({"set_up": told}))

    def warm_up(self, names: list[str]) -> None:
        """Ask for imports; the answers are read before the next request."""
        self._warming_up += 1
        self._send(encode({"imports": names}))

    @property
    def phase(self) -> str:
        """What it does until it is ready, "while it imported 'torch'"; "" from then on."""
        if self.importing:
            return f"while it imported {self.importing!r}"
        return "" if self._started else "while it started"

    def wait_until_ready(self) -> None:
        """Wait until all imports that were asked for are made, or have failed.

        Raises:
            EOFError, ConnectionError: the child has ended.
            TimeoutError: it was not ready in time.
        """
        end = time.monotonic() + START_LIMIT
        while self._warming_up:
            late = f"the child process was not ready within {START_LIMIT:g} s ({self.phase})"
            event, _ = self._receive(end - time.monotonic(), late)
            self._note(event)
        self.importing, self._started = "", True

    def ask(
        self, message: Iterable[bytes], timeout: float | None
    ) -> tuple[dict[str, Any], dict[str, np.ndarray] | None]:
        """Return the answer of a child that is ready to a request.

        Raises:
            EOFError, ConnectionError: the child has ended.
            TimeoutError: no answer in time.
        """
        self._oom_kills = _oom_kills()
        for part in message:
            self.connection.send_bytes(part)
        return self._receive(timeout, f"no answer within {timeout:.3g} s" if timeout is not None else "")

    def end(self, grace: float) -> None:
        """End the child and everything that it started; an idle child ends by itself within `grace` s."""
        self.connection.close()
        if grace:
            with suppress(subprocess.TimeoutExpired):
                self._popen.wait(grace)
        # The group exists as long as its guard does, so this cannot meet another's.
        with suppress(ProcessLookupError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()
        self._resources.close()

    def kill(self) -> None:
        """End the child and everything that it started; whoever waits for its answer cleans up."""
        with suppress(ProcessLookupError):
            os.killpg(self._popen.pid, signal.SIGKILL)

    def returncode(self) -> int | None:
        """Return how the child ended, None if it lives and only closed its socket."""
        try:
            code = self._popen.wait(EXIT_LIMIT)
            return SIGNALLED - code if self._wrapped and code > SIGNALLED else code
        except subprocess.TimeoutExpired:
            return None

    def oom_kills(self) -> int | None:
        """Return how many processes the kernel's OOM killer ended since the last request, None if it does not count."""
        now = _oom_kills()
        return None if now is None or self._oom_kills is None else now - self._oom_kills

    def output(self) -> str:
        """Return the tail of what the child wrote outside of calls."""
        return tail_of(self._output.fileno())

    def _send(self, parts: Iterable[bytes]) -> None:
        # A child that has ended is reported when its answer is read.
        with suppress(ConnectionError):
            for part in parts:
                self.connection.send_bytes(part)

    def _note(self, event: dict[str, Any]) -> None:
        if "importing" in event:
            self.importing = event["importing"]
        elif "failed" in event:
            self.failed[event["failed"]] = str(error_from(event["error"]))
        else:
            self._warming_up -= 1
            self.imported.append(tuple(event["ready"]))

    def _receive(self, timeout: float | None, late: str) -> tuple[dict[str, Any], dict[str, np.ndarray] | None]:
        end = None if timeout is None else time.monotonic() + timeout
        while not self.connection.poll(POLL if end is None else max(0.0, min(POLL, end - time.monotonic()))):
            if end is not None and time.monotonic() >= end:
                raise TimeoutError(late)
            if self._popen.poll() is not None and not self.connection.poll(0):  # what it wrote last is still to be read
                raise EOFError
        return decode(self.connection.recv_bytes)


def describe_end(returncode: int | None, oom_kills: int | None) -> tuple[str, str]:
    """Return kind and message of a child's end.

    Args:
        returncode: subprocess's (a signal is negative); None: it lives, but has closed its socket.
        oom_kills: how many processes the kernel ended meanwhile for lack of memory; None: not known.
    """
    if returncode is None:
        return "disconnected", "the child process closed its connection to this one"
    if returncode >= 0:
        return f"exit {returncode}", f"the child process ended itself (exit {returncode})"
    kind = _signal_name(-returncode)
    text = f"the child process was ended by {kind}"
    if kind != "SIGKILL":
        return kind, text
    if oom_kills is None:
        return kind, f"{text} (probably out of memory)"
    if oom_kills > 0:
        return kind, f"{text} (out of memory: the kernel's OOM killer ended {oom_kills} process(es) meanwhile)"
    return kind, f"{text} (not by the kernel's OOM killer, which counted no kill: by another process)"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _oom_kills() -> int | None:
    # Inside a container this is the count of the whole machine: there is no other.
    with suppress(OSError):
        if found := re.search(r"^oom_kill (\d+)$", Path("/proc/vmstat").read_text(encoding="utf-8"), re.MULTILINE):
            return int(found[1])
    return None
